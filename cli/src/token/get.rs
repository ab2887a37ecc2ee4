//! `countersign token get`: requests a token with the client credentials grant, or with the password grant for a user.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use countersign::client::GrantType;
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
    /// Log in this user; the password is read after the client secret
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// The client is public and its users log in from this origin: no client secret is read
    #[arg(long, value_name = "ORIGIN", requires = "username")]
    origin: Option<String>,
    /// A scope to request (repeatable); by default the client's default scopes
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ' ', value_parser = input::scope("--scope"))]
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
    let Request { headers, form } = request(&options)?;
    let response = api::send("POST", &url, &headers, form).await.map_err(|cause| no_response(&url, &cause))?;
    let document: Value = serde_json::from_str(&response.text).unwrap_or_default();
    match document.get("access_token").and_then(Value::as_str).filter(|_| response.status == 200) {
        Some(token) => output::result(json, &document, || token.to_owned())?,
        None => return Err(rejected(&url, response.status, &document, &options)),
    }
    Ok(Outcome::Done)
}

/// A token request.
struct Request {
    headers: Vec<(&'static str, String)>,
    /// The body, encoded.
    form: String,
}

/// Reads the secrets, and builds the token request.
fn request(options: &Options) -> Result<Request, Error> {
    let names: &[_] = match (&options.username, &options.origin) {
        (None, _) => &["Client secret"],
        (Some(_), None) => &["Client secret", "Password"],
        (Some(_), Some(_)) => &["Password"],
    };
    let secrets = input::secrets(names)?;
    let mut headers = vec![
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ("accept", format!("application/json; version={}", options.token_version)),
    ];
    let mut form = vec![("grant_type", options.grant_type().as_str())];
    match (&options.origin, secrets.first()) {
        (Some(origin), _) => {
            headers.push(("origin", origin.clone()));
            form.push(("client_id", &options.client_id));
        }
        (None, secret) => {
            // RFC 6749 section 2.3.1: form-encoded, and then encoded for Basic.
            let secret = form_encode(secret.map(String::as_str).unwrap_or_default());
            let credentials = STANDARD.encode(format!("{}:{secret}", form_encode(&options.client_id)));
            headers.push(("authorization", format!("Basic {credentials}")));
        }
    }
    if let (Some(username), Some(password)) = (&options.username, secrets.last()) {
        form.extend([("username", username.as_str()), ("password", password)]);
    }
    let scope = options.scopes.join(" ");
    if !scope.is_empty() {
        form.push(("scope", &scope));
    }
    let form: Vec<_> = form.into_iter().map(|(name, value)| format!("{name}={}", form_encode(value))).collect();
    Ok(Request { headers, form: form.join("&") })
}

impl Options {
    fn grant_type(&self) -> GrantType {
        if self.username.is_some() { GrantType::Password } else { GrantType::ClientCredentials }
    }
}

/// Returns the error for a rejected token request, with what to do about it.
fn rejected(url: &str, status: u16, document: &Value, options: &Options) -> Error {
    let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
    let (error, description) = (text("error"), text("error_description").trim_end_matches('.'));
    let show = format!("see `countersign client show {}`", options.client_id);
    let grant_type = options.grant_type().as_str();
    let username = options.username.as_deref().unwrap_or_default();
    let hint = match (status, error) {
        (429, _) if !username.is_empty() => {
            format!("wait, or see `countersign user show {username}` and `countersign user unlock {username}`")
        }
        (429 | 503, _) => "try again in a moment".to_owned(),
        (_, "invalid_client") if options.origin.is_some() => {
            format!("the id is wrong, the client is disabled or not public, or the origin is not allowed: {show}")
        }
        (_, "invalid_client") => format!("the id or the secret is wrong, or the client is disabled: {show}"),
        (_, "invalid_grant") => format!("check them, and that the user is enabled: `countersign user show {username}`"),
        (_, "unauthorized_client") => format!("the client does not have the grant type {grant_type}: {show}"),
        (_, "invalid_scope") => format!("request an allowed scope with --scope: {show}"),
        (_, "invalid_dpop_proof") => {
            format!("the tokens of the client are bound to a key, so only its own library can request them: {show}")
        }
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
