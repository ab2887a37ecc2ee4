//! `countersign token get`: requests a token with the client credentials grant.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::Value;

use super::no_response;
use crate::deployment::Target;
use crate::error::Error;
use crate::{Outcome, api, input, output};

#[derive(Args)]
pub struct Options {
    /// The id of the client
    #[arg(long, value_name = "ID")]
    client_id: String,
    /// A scope to request (repeatable); by default the client's default scopes
    #[arg(long = "scope", value_name = "TOKEN")]
    scopes: Vec<String>,
    /// The token version: 2, or the deprecated 1
    #[arg(long, value_name = "NUMBER", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    token_version: u8,
}

/// Prints the token, or the whole response as JSON.
pub async fn run(target: &Target, json: bool, options: Options) -> Result<Outcome, Error> {
    let url = match target.url() {
        Some(url) => url.to_owned(),
        None => target.find().await?.url,
    };
    // Checked before the secret is entered.
    let url = format!("{}/oauth/token", api::check_url(&url).map_err(Error::new)?);
    let secret = input::secret("Client secret")?;
    let (headers, form) = request(&options, &secret);
    let response = api::send("POST", &url, &headers, form).await.map_err(|cause| no_response(&url, &cause))?;
    let document: Value = serde_json::from_str(&response.text).unwrap_or_default();
    match document.get("access_token").and_then(Value::as_str).filter(|_| response.status == 200) {
        Some(token) => output::result(json, &document, || token.to_owned())?,
        None => return Err(rejected(&url, response.status, &document, &options.client_id)),
    }
    Ok(Outcome::Done)
}

/// Returns the headers and the body of the token request.
fn request(options: &Options, secret: &str) -> ([(&'static str, String); 3], String) {
    // RFC 6749 section 2.3.1: form-encoded, and then encoded for Basic.
    let credentials = STANDARD.encode(format!("{}:{}", form_encode(&options.client_id), form_encode(secret)));
    let headers = [
        ("authorization", format!("Basic {credentials}")),
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ("accept", format!("application/json; version={}", options.token_version)),
    ];
    let mut form = "grant_type=client_credentials".to_owned();
    if !options.scopes.is_empty() {
        form.push_str("&scope=");
        form.push_str(&form_encode(&options.scopes.join(" ")));
    }
    (headers, form)
}

/// Returns the error for a rejected token request, with what to do about it.
fn rejected(url: &str, status: u16, document: &Value, client_id: &str) -> Error {
    let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
    let (error, description) = (text("error"), text("error_description").trim_end_matches('.'));
    let show = format!("see `countersign client show {client_id}`");
    let hint = match (status, error) {
        (429 | 503, _) => "try again in a moment".to_owned(),
        (_, "invalid_client") => format!("the id or the secret is wrong, or the client is disabled: {show}"),
        (_, "unauthorized_client") => format!("the client does not have the grant type client_credentials: {show}"),
        (_, "invalid_scope") => format!("request other scopes; for the allowed and default scopes {show}"),
        (_, "invalid_request") => "check the id, the secret and the scopes".to_owned(),
        (_, "server_error") => "see the function's log for the cause".to_owned(),
        _ => "check --url".to_owned(),
    };
    let reason = match (error, description) {
        ("", _) => String::new(),
        (error, "") => format!(" ({error})"),
        _ => format!(" ({error}: {description})"),
    };
    Error::new(format!("{url} returned {status}{reason}; {hint}"))
}

/// Encodes a value for `application/x-www-form-urlencoded`.
fn form_encode(text: &str) -> String {
    text.bytes().fold(String::new(), |encoded, byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => encoded + &char::from(byte).to_string(),
        _ => encoded + &format!("%{byte:02X}"),
    })
}
