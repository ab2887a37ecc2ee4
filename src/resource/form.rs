//! The form of resources, as text.

use std::borrow::Cow;

/// The hosts of the user's own machine, which `http` may name.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

/// The parts of an `http` or `https` URI.
struct Web<'a> {
    is_https: bool,
    authority: &'a str,
    /// The path, and the query if there is one.
    rest: &'a str,
}

impl<'a> Web<'a> {
    fn parse(uri: &'a str) -> Option<Self> {
        let (scheme, hierarchy) = uri.split_once("://")?;
        let is_https = scheme.eq_ignore_ascii_case("https");
        if !is_https && !scheme.eq_ignore_ascii_case("http") {
            return None;
        }
        let authority = hierarchy.split(['/', '?', '#']).next()?;
        Some(Self { is_https, authority, rest: hierarchy.strip_prefix(authority)? })
    }

    /// Returns the host, without a port.
    fn host(&self) -> &'a str {
        let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        self.authority.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(self.authority, |(host, _)| host)
    }
}

/// Returns true for an absolute URI (RFC 3986 section 4.3). One with `http` or `https` has a host.
pub fn is_absolute(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else { return false };
    let in_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(in_scheme);
    let is_web = ["http", "https"].iter().any(|web| scheme.eq_ignore_ascii_case(web));
    let has_host = Web::parse(uri).is_some_and(|web| !web.host().is_empty());
    is_scheme && !rest.is_empty() && is_uri_text(rest) && (has_host || !is_web)
}

/// Returns true if the text has only the characters of a URI without a fragment (RFC 3986 appendix A).
fn is_uri_text(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=".contains(&byte);
    let is_escape = |text: &str| text.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    text.bytes().all(|byte| is_plain(byte) || byte == b'%') && text.split('%').skip(1).all(is_escape)
}

/// Returns true for an entry of a record: an absolute URI without `*`, or `https://host[:port]/.../*`. `http` is only for
/// the user's own machine.
pub fn is_entry(text: &str) -> bool {
    let is_safe = |web: &Web<'_>| web.is_https || LOOPBACK.contains(&web.host());
    let ends_in_path =
        |web: &Web<'_>| web.rest.ends_with('/') && !web.rest.contains('?') && !web.authority.contains('@');
    let uri = text.strip_suffix('*').unwrap_or(text);
    let web = Web::parse(uri);
    let is_prefix = uri != text;
    is_absolute(uri)
        && !uri.contains('*')
        && web.as_ref().is_none_or(is_safe)
        && (!is_prefix || web.as_ref().is_some_and(ends_in_path))
}

/// Adds the `/` to an `http` or `https` URI without a path, as URL libraries do.
fn with_path(uri: &str) -> Cow<'_, str> {
    match Web::parse(uri) {
        Some(Web { rest, .. }) if !rest.starts_with('/') => {
            Cow::Owned(format!("{}/{rest}", uri.strip_suffix(rest).unwrap_or(uri)))
        }
        _ => Cow::Borrowed(uri),
    }
}

/// Returns true if both URIs are the same byte for byte, except for the `/` of an empty path.
pub fn is_same(one: &str, other: &str) -> bool {
    with_path(one) == with_path(other)
}

/// Returns true if a URI begins with this prefix, which ends in `/`, and if no server reads the rest as another path: the
/// rest has no escape, no query and no segment that is empty or has dots only.
pub fn is_below(prefix: &str, uri: &str) -> bool {
    let is_clear = |rest: &str| {
        let is_segment = |segment: &str| !["", ".", ".."].contains(&segment);
        let mut segments = rest.split('/').rev();
        // The last segment is empty in a URI that ends in `/`.
        let last = segments.next().unwrap_or_default();
        !rest.contains(['*', '%', '?', '\\']) && (last.is_empty() || is_segment(last)) && segments.all(is_segment)
    };
    with_path(uri).strip_prefix(prefix).is_some_and(is_clear)
}
