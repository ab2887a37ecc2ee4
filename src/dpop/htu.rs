//! The comparison of `htu` with the URL of a request (RFC 9449 section 4.3 items 8 and 9, RFC 3986 section 6.2).

/// Returns true if `htu`, without query and fragment, is the same URL. Scheme and host are compared without case, a default
/// port counts as none, and an empty path as `/`. The rest is compared byte for byte.
pub fn is_same_url(htu: &str, url: &str) -> bool {
    let htu = htu.split(['?', '#']).next().unwrap_or_default();
    matches!((normalized(htu), normalized(url)), (Some(htu), Some(url)) if htu == url)
}

/// Returns scheme, host with port, and path in their normal form.
fn normalized(url: &str) -> Option<(String, String, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let authority = authority.to_ascii_lowercase();
    let authority = authority.strip_suffix(default_port).unwrap_or(&authority).to_owned();
    Some((scheme, authority, path))
}
