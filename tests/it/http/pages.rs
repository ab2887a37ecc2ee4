//! `src/http/browser/pages`: every page in each of its states, in each language.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::{Body, to_bytes};
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::config::Pages;
use countersign::http::browser::pages::Look;
use testing::gallery::{HOSTILE, LONG, PAGES, WORDS, Words, gallery};
use tower::ServiceExt;

mod forms;
mod texts;

const LANGUAGES: [&str; 2] = ["en", "de"];

/// A page as it was sent.
struct Sent {
    status: u16,
    headers: Vec<(String, String)>,
    html: String,
}

impl Sent {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns the value of an attribute of `<body>`.
    fn body_attribute(&self, name: &str) -> Option<&str> {
        let body = between(&self.html, "<body ", ">").unwrap();
        between(body, &format!("{name}=\""), "\"")
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.split_once(start)?.1.split_once(end).map(|(part, _)| part)
}

/// Returns the settings with everything that a page can show.
fn brand() -> Pages {
    let link = |name: &str| Some(format!("https://example.org/{name}"));
    Pages {
        brand_name: Some("Example & Co".to_owned()),
        brand_logo_url: link("logo.svg"),
        support_url: link("help"),
        privacy_url: link("privacy"),
        terms_url: link("terms?a=1&b=2"),
        ..Pages::default()
    }
}

async fn sent(pages: &Pages, words: Words, name: &str, language: &str) -> Sent {
    let look = Arc::new(Look::new(pages, "https://auth.example/tenant"));
    let request = Request::get(format!("/{name}")).header("accept-language", language).body(Body::empty()).unwrap();
    let response = gallery(&look, words).oneshot(request).await.unwrap();
    let header = |value: &axum::http::HeaderValue| value.to_str().unwrap().to_owned();
    let headers = response.headers().iter().map(|(name, value)| (name.to_string(), header(value))).collect();
    let status = response.status().as_u16();
    let html = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    Sent { status, headers, html: String::from_utf8(html.to_vec()).unwrap() }
}

/// Returns every page in every language.
async fn all(pages: &Pages, words: Words) -> Vec<(String, Sent)> {
    let mut all = Vec::new();
    for language in LANGUAGES {
        for name in PAGES {
            all.push((format!("{name} ({language})"), sent(pages, words, name, language).await));
        }
    }
    all
}

#[tokio::test]
async fn s_809_every_page_has_exactly_its_headers() {
    for (pages, image) in [(Pages::default(), "'none'"), (brand(), "https://example.org/logo.svg")] {
        for (name, page) in all(&pages, WORDS).await {
            let style = between(&page.html, "<style>", "</style>").unwrap();
            let hash = STANDARD.encode(digest(&SHA256, style.as_bytes()));
            let policy = format!(
                "default-src 'none'; style-src 'sha256-{hash}'; img-src {image}; base-uri 'none'; frame-ancestors 'none'"
            );
            let policy = if page.body_attribute("data-page") == Some("account") {
                format!("{policy}; form-action 'self'")
            } else {
                policy
            };
            let mut expected = vec![
                ("cache-control", "no-store"),
                ("content-length", ""),
                ("content-security-policy", &policy),
                ("content-type", "text/html; charset=utf-8"),
                ("cross-origin-resource-policy", "same-origin"),
                ("referrer-policy", "same-origin"),
                ("strict-transport-security", "max-age=31536000"),
                ("x-content-type-options", "nosniff"),
                ("x-frame-options", "DENY"),
                ("x-robots-tag", "noindex"),
            ];
            if [429, 503].contains(&page.status) {
                expected.push(("retry-after", page.header("retry-after").unwrap()));
            }
            let mut headers: Vec<_> =
                page.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            headers.iter_mut().filter(|(name, _)| *name == "content-length").for_each(|(_, value)| *value = "");
            headers.sort_unstable();
            expected.sort_unstable();
            assert_eq!(headers, expected, "{name}");
        }
    }
}

#[tokio::test]
async fn s_811_no_page_can_be_framed() {
    for (name, page) in all(&brand(), WORDS).await {
        assert_eq!(page.header("x-frame-options"), Some("DENY"), "{name}");
        assert!(page.header("content-security-policy").unwrap().contains("; frame-ancestors 'none'"), "{name}");
    }
}

#[tokio::test]
async fn s_809_pages_have_no_script_and_load_only_the_logo() {
    for (name, page) in all(&brand(), WORDS).await {
        let html = page.html.to_ascii_lowercase();
        for part in ["<script", "javascript:", "<link", "<iframe", "<object", "<base", "http-equiv", " style=", "url("]
        {
            assert!(!html.contains(part), "{name}: {part}");
        }
        assert!(!html.split('<').any(|tag| tag.split('>').next().unwrap().contains(" on")), "{name}");
        assert_eq!(html.matches(" src=").count(), 1, "{name}");
        assert!(html.contains("<img src=\"https://example.org/logo.svg\" alt=\"example &#38; co\">"), "{name}");
    }
    for (name, page) in all(&Pages::default(), WORDS).await {
        assert_eq!(page.html.matches(" src=").count(), 0, "{name}");
        assert!(!page.html.contains("<footer>") && !page.html.contains("class=\"brand\""), "{name}");
    }
}

#[tokio::test]
async fn a_page_has_at_most_8_kib() {
    let url = |path: char| Some(format!("https://example.org/{}", path.to_string().repeat(236)));
    let largest = Pages {
        brand_name: Some("\u{1f600}".repeat(64)),
        brand_logo_url: url('l'),
        support_url: url('s'),
        privacy_url: url('p'),
        terms_url: url('t'),
        ..Pages::default()
    };
    // The longest username that a login page repeats, and a longer one.
    let typed = ["&".repeat(204), "&".repeat(205), "a".repeat(1_024), "a".repeat(16_000)].map(|user| &*user.leak());
    let logins = typed.map(|user| Words { user, ..LONG });
    for words in [WORDS, LONG].into_iter().chain(logins) {
        for (name, page) in all(&largest, words).await {
            if typed.contains(&words.user) && !name.starts_with("login") {
                continue;
            }
            // The lists of apps and scopes are not counted.
            let apps = page.html.matches("<article").count();
            let list: usize = page
                .html
                .split("<article")
                .skip(1)
                .take(apps)
                .map(|app| app.split("</article>").next().unwrap().len())
                .sum();
            let size = page.html.len() - list;
            assert!(size <= 8_192, "{name}: {size}");
        }
    }
}

/// A text that leaves its place adds a tag, an attribute or a quote.
#[tokio::test]
async fn s_810_text_from_outside_is_shown_as_text() {
    let marks = |html: &str| ['<', '>', '"', '\''].map(|mark| html.matches(mark).count());
    let ordinary = all(&brand(), Words::all("ordinary")).await;
    for text in HOSTILE {
        // All other characters of these texts are control or format characters.
        let shown: String = text.chars().filter(|c| c.is_ascii() && !c.is_ascii_control()).collect();
        let escaped = [('&', "&#38;"), ('<', "&#60;"), ('>', "&#62;"), ('"', "&#34;"), ('\'', "&#39;")]
            .into_iter()
            .fold(shown, |text, (mark, escape)| text.replace(mark, escape));
        for ((name, page), (_, plain)) in all(&brand(), Words::all(text)).await.iter().zip(&ordinary) {
            assert_eq!(marks(&page.html), marks(&plain.html), "{name}: {text}");
            assert_eq!(page.html.replace(&escaped, "ordinary"), plain.html, "{name}: {text}");
            assert!(!page.html.chars().any(|c| c.is_control() && c != '\n'), "{name}: {text:?}");
        }
    }
}
