//! `countersign token`: gets and inspects access tokens. Uses AWS only to find the URL of the API.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use countersign::clock::Clock;
use jsonwebtoken::jwk::JwkSet;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::deployment::Target;
use crate::fault::Fault;
use crate::{Outcome, api, input, output};

mod inspection;

use inspection::Inspection;

#[derive(Subcommand)]
pub enum Command {
    /// Get a token for a service. The client secret is read from a prompt or from stdin
    #[command(after_help = "Examples:
  countersign token get --client-id billing-cron --scope billing:read
  curl -H \"Authorization: Bearer $(countersign token get --client-id billing-cron < secret.txt)\" URL
  pass show billing-cron | countersign --json token get --client-id billing-cron --structure 1")]
    Get {
        /// The id of the client
        #[arg(long, value_name = "ID")]
        client_id: String,
        /// A scope to request (repeatable); by default the client's default scopes
        #[arg(long = "scope", value_name = "TOKEN")]
        scopes: Vec<String>,
        /// The token version: 2, or the deprecated 1
        #[arg(long, value_name = "NUMBER", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
        structure: u8,
    },
    /// Inspect an access token, and list all problems. The token is read from a prompt or from stdin
    #[command(after_help = "Examples:
  countersign token inspect < token.txt
  countersign token get --client-id billing-cron < secret.txt | countersign token inspect
  countersign token inspect --issuer https://login.example.com

The audience is not checked, because only the resource server knows which audience it requires.

Exit codes: 0 the token is valid; 3 it is not valid; 1 the check failed.")]
    Inspect {
        /// The expected issuer, if it is not the deployment's
        #[arg(long, value_name = "URL")]
        issuer: Option<String>,
    },
}

pub async fn run(target: &Target, json: bool, command: Command) -> Result<Outcome, Fault> {
    match command {
        Command::Get { client_id, scopes, structure } => {
            let url = match target.url() {
                Some(url) => url.to_owned(),
                None => target.find().await?.url,
            };
            let (answer, token) = get(&url, &client_id, &scopes, structure).await?;
            output::result(json, &answer, || token)?;
            Ok(Outcome::Done)
        }
        Command::Inspect { issuer } => inspect(target, json, issuer).await,
    }
}

/// Requests a token with the client credentials grant. Returns the whole response, and the token in it.
async fn get(url: &str, client_id: &str, scopes: &[String], structure: u8) -> Result<(Value, String), Fault> {
    // Checked before the secret is entered.
    let url = api::check_url(url).map_err(Fault::new)?;
    let secret = input::secret("Client secret")?;
    // RFC 6749 section 2.3.1: form-encoded, and then encoded for Basic.
    let credentials = STANDARD.encode(format!("{}:{}", form_encode(client_id), form_encode(&secret)));
    let headers = [
        ("authorization", format!("Basic {credentials}")),
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ("accept", format!("application/json; version={structure}")),
    ];
    let mut form = "grant_type=client_credentials".to_owned();
    if !scopes.is_empty() {
        form.push_str("&scope=");
        form.push_str(&form_encode(&scopes.join(" ")));
    }
    let url = format!("{url}/oauth/token");
    let answer = api::ask("POST", &url, &headers, form).await.map_err(|cause| no_answer(&url, &cause))?;
    let document: Value = serde_json::from_str(&answer.text).unwrap_or_default();
    let token = document.get("access_token").and_then(Value::as_str).map(ToOwned::to_owned);
    match token {
        Some(token) if answer.status == 200 => Ok((document, token)),
        _ => Err(refusal(&url, answer.status, &document, client_id)),
    }
}

/// Returns the error for a rejected token request, with what to do about it.
fn refusal(url: &str, status: u16, document: &Value, client_id: &str) -> Fault {
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
    let said = match (error, description) {
        ("", _) => String::new(),
        (error, "") => format!(" ({error})"),
        _ => format!(" ({error}: {description})"),
    };
    Fault::new(format!("{url} returned {status}{said}; {hint}"))
}

fn no_answer(url: &str, cause: &str) -> Fault {
    Fault::new(format!("{url} did not respond: {cause}; check --url"))
}

/// Encodes a value for `application/x-www-form-urlencoded`.
fn form_encode(text: &str) -> String {
    text.bytes().fold(String::new(), |encoded, byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => encoded + &char::from(byte).to_string(),
        _ => encoded + &format!("%{byte:02X}"),
    })
}

async fn inspect(target: &Target, json: bool, issuer: Option<String>) -> Result<Outcome, Fault> {
    let (issuer, url) = expected(target, issuer).await?;
    let url = api::check_url(&url).map_err(Fault::new)?;
    let text = input::secret("Token")?;
    let jwks: Result<JwkSet, _> = fetch(&format!("{url}/.well-known/jwks.json")).await.map_err(Fault::words);
    let token = text.trim();
    // The value of an Authorization header is accepted, too.
    let token = token.strip_prefix("Bearer ").unwrap_or(token);
    let now = Clock::System.now();
    let inspection = inspection::inspect(token, &issuer, jwks.as_ref(), now);
    output::result(json, &inspection, || in_words(&inspection, now))?;
    Ok(if inspection.valid { Outcome::Done } else { Outcome::LookCloser })
}

/// Returns the expected issuer, and the URL where the issuer publishes the keys.
async fn expected(target: &Target, issuer: Option<String>) -> Result<(String, String), Fault> {
    #[derive(Deserialize)]
    struct Metadata {
        issuer: String,
    }
    match (issuer, target.url()) {
        (Some(issuer), url) => {
            let url = url.unwrap_or_else(|| issuer.trim_end_matches('/')).to_owned();
            Ok((issuer, url))
        }
        (None, Some(url)) => {
            let metadata: Metadata = fetch(&format!("{url}/.well-known/oauth-authorization-server")).await?;
            Ok((metadata.issuer, url.to_owned()))
        }
        (None, None) => {
            let deployment = target.find().await?;
            Ok((deployment.config.issuer, deployment.url))
        }
    }
}

async fn fetch<T: DeserializeOwned>(url: &str) -> Result<T, Fault> {
    let answer = api::ask("GET", url, &[], String::new()).await.map_err(|cause| no_answer(url, &cause))?;
    match serde_json::from_str(&answer.text) {
        Ok(document) if answer.status == 200 => Ok(document),
        _ => Err(Fault::new(format!("{url} returned {} and not the document of the API; check --url", answer.status))),
    }
}

fn in_words(inspection: &Inspection, now: u64) -> String {
    let header = |name: &str| inspection.header.as_ref()?.get(name);
    let claim = |name: &str| inspection.claims.as_ref()?.get(name);
    let structure = inspection.structure.map_or_else(|| "unknown".to_owned(), |structure| structure.to_string());
    let record = output::record([
        ("version", Some(structure)),
        ("algorithm", header("alg").map(words)),
        ("kid", header("kid").map(words)),
        ("issuer", claim("iss").map(words)),
        ("audience", claim("aud").map(words)),
        ("subject", claim("sub").map(words)),
        ("client", claim("client_id").map(words)),
        ("scope", claim("scope").or_else(|| claim("scopes")).map(words)),
        ("issued at", claim("iat").map(time)),
        ("expires", claim("exp").map(time)),
        ("jti", claim("jti").map(words)),
    ]);
    let (good, bad) = (output::GOOD, output::BAD);
    if inspection.valid {
        let expires_at = claim("exp").and_then(Value::as_u64).unwrap_or_default();
        let left = output::span(expires_at.saturating_sub(now));
        return format!("{record}\n\n{good}The token is valid.{good:#} It expires in {left}.");
    }
    format!("{record}\n\n{bad}The token is not valid:{bad:#}\n  {}", inspection.faults.join("\n  "))
}

/// Formats a value of a token as text.
fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(words).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

fn time(value: &Value) -> String {
    value.as_u64().map_or_else(|| words(value), output::time)
}
