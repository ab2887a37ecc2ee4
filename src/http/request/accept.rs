//! The token version of a request: the parameter `version` of a media type in `Accept`.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

use super::media_type::{parameter, split};
use crate::error::Error;
use crate::token::TokenVersion;

/// Returns the token version that a request accepts: the first `version` in any entry, also an entry of only
/// `version=2`, which legacy callers send. 1.x is token version 1. 2 and higher, or no version, is token version 2.
///
/// # Errors
/// `invalid_request` if the version is not a number, or below 1.
pub fn token_version(headers: &HeaderMap) -> Result<TokenVersion, Error> {
    for value in headers.get_all(ACCEPT) {
        let text = String::from_utf8_lossy(value.as_bytes());
        for entry in split(&text, ',') {
            let version = split(entry, ';')
                .filter_map(parameter)
                .find_map(|(name, value)| name.eq_ignore_ascii_case("version").then_some(value));
            if let Some(version) = version {
                return parse(version);
            }
        }
    }
    Ok(TokenVersion::V2)
}

fn parse(version: &str) -> Result<TokenVersion, Error> {
    let (whole, fraction) = version.split_once('.').unwrap_or((version, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return Err(Error::invalid_request("The version in Accept is not a number."));
    }
    match whole.trim_start_matches('0') {
        "" => Err(Error::invalid_request("The version in Accept is below 1.")),
        "1" => Ok(TokenVersion::V1),
        _ => Ok(TokenVersion::V2),
    }
}
