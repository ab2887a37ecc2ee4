//! The forms of redirect URIs that may be registered.

use url::form_urlencoded;

use super::MAX_REDIRECT_URI_BYTES;

pub(super) const HTTPS: &str = "https://";
/// The addresses on which any port matches.
const LOOPBACK: [&str; 2] = ["http://127.0.0.1", "http://[::1]"];
/// A host name that a resolver may map to another machine (RFC 8252 section 8.3), so its port is compared.
const LOCALHOST: &str = "http://localhost";

/// The parameters that responses contain.
const OF_RESPONSES: [&str; 5] = ["code", "state", "iss", "error", "error_description"];

/// Returns the reason why a URI must not be registered.
pub(super) fn problem(uri: &str) -> Option<&'static str> {
    let (before_query, query) = uri.split_once('?').map_or((uri, None), |(before, query)| (before, Some(query)));
    if uri.len() > MAX_REDIRECT_URI_BYTES {
        Some("it is too long")
    } else if !uri.bytes().all(is_allowed) {
        Some("it has a character that is not allowed")
    } else if uri.ends_with(['?', '&']) {
        Some("it ends in ? or &")
    } else if before_query.split('/').any(is_dot_segment) {
        Some("it has a dot segment")
    } else if query.is_some_and(has_parameter_of_responses) {
        Some("its query has a parameter of responses")
    } else if !has_known_form(before_query) {
        Some("it has none of the known forms")
    } else {
        None
    }
}

/// Returns true for printable ASCII, except characters that parsers treat differently or that people misread.
fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\\*#@<>\"".contains(&byte)
}

/// Returns true for `.` and `..`, also if a dot is percent-encoded: browsers remove these segments, too.
fn is_dot_segment(segment: &str) -> bool {
    segment.len() <= "%2e%2e".len() && matches!(&*segment.to_ascii_lowercase().replace("%2e", "."), "." | "..")
}

fn has_parameter_of_responses(query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|(name, _)| OF_RESPONSES.contains(&&*name))
}

fn has_known_form(uri: &str) -> bool {
    let on_loopback = || LOOPBACK.into_iter().chain([LOCALHOST]).find_map(|start| uri.strip_prefix(start));
    if let Some(rest) = uri.strip_prefix(HTTPS) {
        after_host(rest).and_then(after_port).is_some()
    } else if let Some(rest) = on_loopback() {
        after_port(rest).is_some()
    } else {
        uri.split_once(':').is_some_and(|(scheme, _)| is_private_use(scheme))
    }
}

/// Returns the rest after a host in lower case: a name without a final dot, or an address.
fn after_host(text: &str) -> Option<&str> {
    if let Some((address, rest)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        let is_of_address = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b':' | b'.');
        return (!address.is_empty() && address.bytes().all(is_of_address)).then_some(rest);
    }
    let (host, rest) = text.split_at(text.find([':', '/']).unwrap_or(text.len()));
    let is_of_label = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'-' | b'_');
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(is_of_label);
    host.split('.').all(is_label).then_some(rest)
}

/// Returns the path after an optional port. A path is empty or begins with a slash.
fn after_port(text: &str) -> Option<&str> {
    let path = match text.strip_prefix(':') {
        Some(text) => {
            let (port, path) = text.split_at(text.find('/').unwrap_or(text.len()));
            is_port(port).then_some(path)?
        }
        None => text,
    };
    (path.is_empty() || path.starts_with('/')).then_some(path)
}

/// Returns true for 1 to 65535 without a leading zero.
fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port > 0 && port.to_string() == text)
}

/// Returns true for a scheme that contains a dot (RFC 8252 section 7.1), so it is based on a domain of the client.
fn is_private_use(scheme: &str) -> bool {
    let is_of_scheme = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'+' | b'-' | b'.');
    scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme.contains('.')
        && scheme.bytes().all(is_of_scheme)
}

/// Returns a URI on a loopback address without its port, in its two parts. `None` if the URI is not on one.
pub(super) fn without_port(uri: &str) -> Option<(&'static str, &str)> {
    LOOPBACK.into_iter().find_map(|host| Some((host, after_port(uri.strip_prefix(host)?)?)))
}
