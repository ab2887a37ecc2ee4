//! The header `Authorization` (RFC 9110 section 11.6.2).

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use super::media_type::split;

/// There is more than one header.
#[derive(Debug)]
pub struct SeveralHeaders;

/// Returns the credentials of a scheme. The name of the scheme is compared without case. A header of another scheme is
/// ignored.
///
/// # Errors
/// [`SeveralHeaders`]
pub fn authorization(headers: &HeaderMap, scheme: &str) -> Result<Option<String>, SeveralHeaders> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let value = String::from_utf8_lossy(value.as_bytes());
    if values.next().is_some() || split(&value, ',').skip(1).any(begins_with_scheme) {
        return Err(SeveralHeaders);
    }
    let (name, credentials) = value.split_once(' ').unwrap_or((&value, ""));
    Ok(name.eq_ignore_ascii_case(scheme).then(|| credentials.trim_start_matches(' ').to_owned()))
}

/// Returns true if this part of `Authorization` is another header: API Gateway joins headers of one name with commas.
/// A parameter, such as those of Digest, has `=` after its name, perhaps after spaces (RFC 9110 section 11.2).
fn begins_with_scheme(part: &str) -> bool {
    part.split_once(' ').is_some_and(|(scheme, rest)| {
        let is_parameter = rest.trim_start_matches(' ').starts_with('=');
        !is_parameter && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}
