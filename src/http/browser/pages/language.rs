//! The language of a page.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;

use super::texts::{DE, EN, Texts};
use crate::http::request::form::pairs;

/// The languages, the default first.
const ALL: [&Texts; 2] = [&EN, &DE];

/// Returns the tags of the languages, the default first.
pub(in crate::http) fn languages() -> Vec<&'static str> {
    ALL.iter().map(|texts| texts.tag).collect()
}

/// Returns the texts for a request: in the first language of its parameter `ui_locales` that we have (OpenID Connect
/// Core 1.0 section 3.1.2.1), otherwise in the first of `Accept-Language`, otherwise in English. `parameters` is the query
/// or the form. It may be malformed, because error pages have a language too.
pub(super) fn texts(parameters: &[u8], headers: &HeaderMap) -> &'static Texts {
    let locales = pairs(parameters).flatten().find_map(|(name, value)| (name == "ui_locales").then_some(value));
    let locales = locales.unwrap_or_default();
    let accepted = headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
    let mut tags = locales.split(' ').chain(accepted.flat_map(|value| value.split(',')));
    tags.find_map(known).unwrap_or(&EN)
}

/// Returns the texts for a language tag (RFC 5646), which may have a weight (RFC 9110 section 12.5.4).
fn known(tag: &str) -> Option<&'static Texts> {
    let primary = tag.trim().split(['-', ';']).next()?.trim();
    ALL.into_iter().find(|texts| texts.tag.eq_ignore_ascii_case(primary))
}
