//! Requests to the API, and the check of every URL that an operator or a deployment names.

use countersign::aws;
use url::{Host, Url};

/// Checks a URL of the API, and returns it in the form in which it is requested, without a slash at its end.
///
/// Secrets and public keys travel over it, so http is only for a loopback host. Returns the parser's form of the URL,
/// because the HTTP client may parse `\`, `@` or a decimal address differently: the checked host must be the host that is
/// called.
///
/// # Errors
/// A message that says what to write.
pub fn check_url(text: &str) -> Result<String, String> {
    let url = Url::parse(text).ok().filter(|url| ["https", "http"].contains(&url.scheme()));
    let url = url.ok_or("not a URL of an API, such as https://login.example.com")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL contains `@` before its host; write the URL without user name and password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("the URL has a query or a fragment; write it without them".to_owned());
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        let host = url.host_str().unwrap_or_default();
        return Err(format!("http is only for loopback hosts, and {host} is not one; write https"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Returns true if the host of a URL is this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Sends a request to a URL that passes [`check_url`].
///
/// # Errors
/// The reason why there is no response, in one line.
pub async fn send(
    method: &str,
    url: &str,
    headers: &[(&'static str, String)],
    body: String,
) -> Result<aws::Response, String> {
    aws::send(method, &check_url(url)?, headers, body).await
}
