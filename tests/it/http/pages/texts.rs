//! The texts of the pages: their language, and the errors.

use countersign::config::Pages;
use testing::gallery::{PAGES, WORDS, Words};

use super::{all, between, brand, sent};

/// The error pages and the errors in forms: the page, `data-error`, status, heading and text.
const ERRORS: [(&str, &str, u16, &str, &str); 13] = [
    (
        "error-client",
        "client",
        400,
        "This link does not work",
        "We do not know the app that sent you here. Go back to the app and try again.",
    ),
    (
        "error-redirect-uri",
        "redirect_uri",
        400,
        "This link does not work",
        "The return address (redirect_uri) is not registered. Contact the app's support.",
    ),
    (
        "error-request",
        "request",
        400,
        "This link does not work",
        "Part of the link is missing or damaged. Go back to the app and try again.",
    ),
    ("error-cross-site", "cross_site", 403, "Please try again", "For your safety, send this form from our own page."),
    (
        "error-applications",
        "applications",
        400,
        "Too many apps",
        "100 apps have access to your account. Remove one on your account page, then try again.",
    ),
    (
        "error-unavailable",
        "unavailable",
        503,
        "Please try again",
        "We cannot do this right now. Reload this page in a moment.",
    ),
    (
        "error-server",
        "server_error",
        500,
        "Something went wrong",
        "We have logged the problem. Please try again later.",
    ),
    ("login-missing", "missing", 422, "There is a problem", "Enter your username and password."),
    ("login-credentials", "credentials", 422, "There is a problem", "Wrong username or password."),
    ("login-throttled", "throttled", 429, "There is a problem", "Too many attempts. Try again in 30 seconds."),
    (
        "login-other-account",
        "other_account",
        422,
        "There is a problem",
        "Please sign in with the account that the app expects.",
    ),
    ("consent-for", "for", 422, "There is a problem", "Choose how long to allow access."),
    ("account-until", "until", 422, "There is a problem", "Enter a date from today to ten years ahead."),
];

#[tokio::test]
async fn each_error_has_its_status_its_heading_and_its_text() {
    for (name, error, status, heading, text) in ERRORS {
        let page = sent(&brand(), WORDS, name, "en").await;
        assert_eq!((page.status, page.body_attribute("data-error")), (status, Some(error)), "{name}");
        let is_form = heading == "There is a problem";
        let level = if is_form { "h2" } else { "h1" };
        assert!(page.html.contains(&format!("<{level}>{heading}</{level}>")), "{name}");
        let shown = page.html.replace("&#39;", "'");
        assert!(shown.contains(&format!(">{text}</")), "{name}");
        let title = between(&shown, "<title>", "</title>").unwrap();
        assert_eq!(title.starts_with("Error: "), is_form, "{name}: {title}");
        assert!(title.ends_with(" - Example &#38; Co"), "{name}: {title}");
    }
}

#[tokio::test]
async fn a_page_without_an_error_has_no_trace_of_one() {
    let errors = ERRORS.map(|(name, ..)| name);
    let others = PAGES.into_iter().filter(|name| !errors.contains(name));
    for name in others.filter(|name| !["error-status", "login-no-password"].contains(name)) {
        let page = sent(&brand(), WORDS, name, "en").await;
        assert_eq!((page.status, page.body_attribute("data-error")), (200, None), "{name}");
        assert!(!page.html.contains("aria-invalid=") && !page.html.contains("id=\"problem\""), "{name}");
    }
}

#[tokio::test]
async fn the_summary_of_a_form_links_to_the_field_that_is_marked() {
    for (name, field, marked) in [
        ("login-missing", "username", 2),
        ("login-no-password", "password", 1),
        ("login-credentials", "username", 2),
        ("login-throttled", "username", 2),
        ("login-other-account", "username", 1),
        ("consent-for", "for", 1),
        ("account-until", "until-2", 1),
    ] {
        for language in ["en", "de"] {
            let page = sent(&brand(), WORDS, name, language).await.html;
            let summary = between(
                &page,
                "<div class=\"error\" id=\"problem\" role=\"alert\" tabindex=\"-1\" autofocus>",
                "</div>",
            );
            assert!(summary.unwrap().contains(&format!("<a href=\"#{field}\">")), "{name}");
            let input = page.split('<').find(|tag| tag.contains(&format!(" id=\"{field}\""))).unwrap();
            assert!(input.contains("aria-invalid=\"true\" aria-describedby=\"problem"), "{name}: {input}");
            assert_eq!(page.matches("aria-invalid=").count(), marked, "{name}");
        }
    }
}

#[tokio::test]
async fn the_username_stays_in_its_field() {
    let words = Words { user: "o'brien \"x\" & <co>", ..WORDS };
    for name in ["login-credentials", "login-throttled", "login-other-account", "login-no-password"] {
        let page = sent(&brand(), words, name, "en").await.html;
        let input = between(&page, "<input id=\"username\"", ">").unwrap();
        assert!(input.contains("value=\"o&#39;brien &#34;x&#34; &#38; &#60;co&#62;\""), "{input}");
    }
}

#[tokio::test]
async fn error_pages_have_no_link_besides_those_of_the_settings() {
    for name in ["error-client", "error-redirect-uri", "error-request", "error-status"] {
        let page = sent(&Pages::default(), WORDS, name, "en").await.html;
        assert!(!page.contains("href=") && !page.contains("action="), "{name}");
    }
    let page = sent(&Pages::default(), WORDS, "error-status", "en").await;
    assert_eq!((page.status, page.body_attribute("data-error")), (400, Some("request")));
}

#[tokio::test]
async fn the_language_is_the_first_that_exists() {
    for (parameters, accepted, expected) in [
        ("", "", "en"),
        ("", "de", "de"),
        ("", "de-AT, en;q=0.9", "de"),
        ("", "fr, DE;q=0.5, en", "de"),
        ("", "fr, en-GB, de", "en"),
        ("", "\u{e4}", "en"),
        ("", "*", "en"),
        ("", "deu, den", "en"),
        ("?ui_locales=de", "en", "de"),
        ("?x=1&ui_locales=fr+de-AT+en&y", "en", "de"),
        ("?ui_locales=fr%20de", "en", "de"),
        ("?ui_locales=fr", "de", "de"),
        ("?ui_locales=", "de", "de"),
        ("?ui_locales=%zz", "de", "de"),
        ("?%75i%5Flocales=de", "en", "de"),
        ("?%zz&ui_locales=de", "en", "de"),
        ("?ui_locales=en&ui_locales=de", "", "en"),
    ] {
        let page = sent(&brand(), WORDS, &format!("login{parameters}"), accepted).await.html;
        assert!(page.contains(&format!("<html lang=\"{expected}\">")), "{parameters} {accepted}");
    }
}

#[tokio::test]
async fn every_text_of_a_page_is_translated() {
    let pages = all(&Pages::default(), Words::all("-")).await;
    let (english, german) = pages.split_at(PAGES.len());
    for ((name, english), (_, german)) in english.iter().zip(german) {
        let texts = |html: &str| {
            let parts = html.split_once("</style>").unwrap().1.split('<').filter_map(|tag| tag.split_once('>'));
            parts.map(|(_, text)| text.trim().to_owned()).filter(|text| text.len() > 2).collect::<Vec<_>>()
        };
        let german = texts(&german.html);
        for text in texts(&english.html).iter().filter(|text| *text != "crm.example") {
            assert!(!german.contains(text), "{name}: {text}");
        }
    }
}

#[tokio::test]
async fn dates_and_periods_are_words_of_the_language() {
    let account = sent(&brand(), WORDS, "account", "en").await.html;
    assert!(account.contains("Access since 3 March 2026. Last used on 20 November 2026.<"), "{account}");
    assert!(
        account.contains("Access since 3 March 2026. Access ended on 20 November 2026.<")
            || account.contains("Last used on 20 November 2026. Access ended on 20 November 2026.<")
    );
    assert!(account.contains("name=\"until\" type=\"date\" value=\"2027-01-31\""));
    assert!(account.contains("name=\"until\" type=\"date\" value=\"\""));
    let account = sent(&brand(), WORDS, "account", "de").await.html;
    assert!(account.contains("Zugriff seit 3. M\u{e4}rz 2026. Zuletzt verwendet am 20. November 2026.<"));
    let consent = sent(&brand(), WORDS, "consent-keep-until", "en").await.html;
    assert!(consent.contains("<option value=\"keep\">As before, until 31 January 2027</option>"));
    let values: Vec<_> =
        consent.split("<option value=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(values, ["keep", "none", "3600", "86400", "2592000", "31536000"]);
}
