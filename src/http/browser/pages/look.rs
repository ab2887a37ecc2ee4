//! The look of the pages of a deployment, and the page's view of it.

use std::sync::Arc;

use askama::Template;
use aws_lc_rs::digest::{SHA256, digest};
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::language;
use super::outside::Outside;
use super::texts::Texts;
use crate::config::{Color, Pages};

/// Everything that the pages of a deployment have in common. Built once, because the content security policy contains
/// the hash of the style.
pub struct Look {
    pages: Pages,
    style: String,
    policy: HeaderValue,
    account_policy: HeaderValue,
    origin: String,
    base: String,
}

#[derive(Template)]
#[template(path = "style.css", escape = "none")]
struct Style {
    accent: Color,
    accent_on_dark: Color,
}

impl Look {
    /// Builds the look of the pages of this issuer.
    pub fn new(pages: &Pages, issuer: &str) -> Self {
        let style = Style { accent: pages.brand_color, accent_on_dark: pages.brand_color.on_dark() };
        let style = style.render().unwrap_or_default();
        let policy = policy(&style, pages.brand_logo_url.as_deref());
        let (scheme, rest) = issuer.split_once("://").unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let default_port = if scheme == "https" { ":443" } else { ":80" };
        let authority = authority.strip_suffix(default_port).unwrap_or(authority);
        Self {
            pages: pages.clone(),
            policy: header(&policy),
            account_policy: header(&format!("{policy}; form-action 'self'")),
            style,
            origin: format!("{scheme}://{}", authority.to_ascii_lowercase()),
            base: path.to_owned(),
        }
    }
}

/// Returns the content security policy (CSP Level 3). It has no `form-action`, because Chromium applies that to the
/// redirects after a form too, and the last one leads to the client.
fn policy(style: &str, logo: Option<&str>) -> String {
    let hash = STANDARD.encode(digest(&SHA256, style.as_bytes()));
    let images = logo.unwrap_or("'none'");
    format!("default-src 'none'; style-src 'sha256-{hash}'; img-src {images}; base-uri 'none'; frame-ancestors 'none'")
}

/// Returns the value of a header. The settings contain no byte that a header cannot have; otherwise the browser shows
/// the page without its style.
fn header(policy: &str) -> HeaderValue {
    HeaderValue::from_str(policy).unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
}

/// The look of the pages, in the language of one request.
#[derive(Clone)]
pub struct View {
    look: Arc<Look>,
    texts: &'static Texts,
}

impl View {
    /// Chooses the language of a request. `parameters` is its query, or its form.
    pub fn new(look: &Arc<Look>, parameters: &[u8], headers: &HeaderMap) -> Self {
        Self { look: look.clone(), texts: language::texts(parameters, headers) }
    }

    /// Returns the view of a request whose parameters are in this form.
    #[must_use]
    pub fn of_form(&self, form: &[u8], headers: &HeaderMap) -> Self {
        Self::new(&self.look, form, headers)
    }

    /// Returns the tag of the language (RFC 5646), by which operators store the texts of scopes.
    pub fn language(&self) -> &'static str {
        self.texts.tag
    }

    /// Returns the path of the issuer, with which all our own paths begin: empty, or without a slash at its end.
    pub fn base(&self) -> &str {
        &self.look.base
    }

    /// Returns the origin of the issuer, as a browser sends it (RFC 6454 section 6.2).
    pub fn origin(&self) -> &str {
        &self.look.origin
    }

    pub(super) fn texts(&self) -> &'static Texts {
        self.texts
    }

    pub(super) fn policy(&self) -> &HeaderValue {
        &self.look.policy
    }

    pub(super) fn account_policy(&self) -> &HeaderValue {
        &self.look.account_policy
    }

    pub(super) fn style(&self) -> &str {
        &self.look.style
    }

    pub(super) fn brand_name(&self) -> Option<Outside<'_>> {
        self.look.pages.brand_name.as_deref().map(Outside)
    }

    pub(super) fn brand_logo_url(&self) -> Option<&str> {
        self.look.pages.brand_logo_url.as_deref()
    }

    /// Returns the links at the bottom of a page, with their texts. The support link comes first on every page (WCAG 2.2,
    /// success criterion 3.2.6).
    pub(super) fn links(&self) -> Vec<(&str, &'static str)> {
        let (pages, texts) = (&self.look.pages, self.texts);
        let links =
            [(&pages.support_url, texts.help), (&pages.privacy_url, texts.privacy), (&pages.terms_url, texts.terms)];
        links.into_iter().filter_map(|(url, text)| Some((url.as_deref()?, text))).collect()
    }
}
