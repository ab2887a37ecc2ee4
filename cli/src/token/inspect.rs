//! `countersign token inspect`: the content of a token, and its problems in words.

use countersign::clock::Clock;
use countersign::token::TokenVersion;
use countersign::token::verify::{Form, Inspection, JwkSet, Part, Problem, inspect};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{bare, fetch};
use crate::deployment::{Deployment, Target};
use crate::error::Error;
use crate::{Outcome, api, input, output};

/// An inspection as JSON.
#[derive(Serialize)]
pub struct View<'a> {
    valid: bool,
    version: Option<u8>,
    header: Option<&'a Map<String, Value>>,
    claims: Option<&'a Map<String, Value>>,
    problems: &'a [String],
}

/// Inspects the token of the prompt or of stdin.
pub async fn run(target: &Target, json: bool, issuer: Option<String>) -> Result<Outcome, Error> {
    let is_named = issuer.is_some();
    let (issuer, url) = expected(target, issuer).await?;
    let url = api::check_url(&url).map_err(Error::new)?;
    let text = input::secret("Token")?;
    let keys: Result<JwkSet, _> = fetch(&format!("{url}/.well-known/jwks.json")).await.map_err(Error::message);
    let token = bare(&text);
    let now = Clock::System.now();
    let inspection = inspect(token, &issuer, keys.as_ref().ok(), now);
    // The deployment and its secret are optional here: without them, the problem has a general description.
    let dropped_at = match (is_named, has_unknown_key(&inspection)) {
        (false, true) => match target.find().await {
            Ok(deployment) => dropped_at(&deployment, &inspection).await,
            Err(_) => None,
        },
        _ => None,
    };
    let unverified = keys.err().unwrap_or_default();
    let problems = Context { token, issuer: &issuer, unverified: &unverified, dropped_at }.problems(&inspection);
    output::result(json, &View::new(&inspection, &problems), || format(&inspection, &problems, now))?;
    Ok(if inspection.is_valid() { Outcome::Done } else { Outcome::NeedsAttention })
}

/// The facts that describe the problems of a token.
pub struct Context<'a> {
    pub token: &'a str,
    /// The expected issuer.
    pub issuer: &'a str,
    /// The reason why there are no keys.
    pub unverified: &'a str,
    /// The time at which an operator removed the key of the token, in seconds since the epoch.
    pub dropped_at: Option<u64>,
}

impl Context<'_> {
    /// Describes all problems of a token.
    pub fn problems(&self, inspection: &Inspection) -> Vec<String> {
        inspection.problems.iter().map(|problem| describe(*problem, self)).collect()
    }
}

/// Returns true if the key of the token is not published.
fn has_unknown_key(inspection: &Inspection) -> bool {
    inspection.problems.contains(&Problem::UnknownKey)
}

/// Returns the time at which the key of a token was removed in an emergency, if the signing secret can be read and
/// contains it.
pub async fn dropped_at(deployment: &Deployment, inspection: &Inspection) -> Option<u64> {
    let kid = inspection.header.as_ref()?.get("kid").filter(|_| has_unknown_key(inspection))?;
    let dropped = deployment.keys().await.ok()?.dropped;
    dropped.into_iter().find(|key| *kid == key.kid).map(|key| key.dropped_at)
}

impl<'a> View<'a> {
    pub fn new(inspection: &'a Inspection, problems: &'a [String]) -> Self {
        Self {
            valid: inspection.is_valid(),
            version: inspection.version.map(TokenVersion::number),
            header: inspection.header.as_ref(),
            claims: inspection.claims.as_ref(),
            problems,
        }
    }
}

/// Returns the expected issuer, and the URL where the issuer publishes the keys.
async fn expected(target: &Target, issuer: Option<String>) -> Result<(String, String), Error> {
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

/// Describes a text that does not have the three parts of a signed JWT.
fn not_a_jwt(token: &str, parts: usize) -> &'static str {
    if token.starts_with("cs_rt_") {
        return "This is a refresh token, which is opaque and only for the token endpoint.";
    }
    if token.starts_with("cs_ac_") {
        return "This is an authorization code, which is opaque and only for the token endpoint.";
    }
    if token.starts_with("cs_") {
        return "This looks like a client secret. Replace it with `countersign client rotate-secret`.";
    }
    match parts {
        5 => "The token is encrypted (a JWE). This issuer only signs tokens.",
        _ => "This is not a JWT, which has three parts with dots between them.",
    }
}

/// Describes a problem.
fn describe(problem: Problem, context: &Context<'_>) -> String {
    let Context { token, issuer, unverified, dropped_at } = context;
    let sentence = match problem {
        Problem::TooLong(bytes) => {
            return format!("The text is too long for a token of this issuer: it has {bytes} bytes.");
        }
        Problem::Parts(count) => not_a_jwt(token, count),
        Problem::Encoding(part) => {
            return format!("The {} is not base64url: this is not a JWT, or it is truncated.", part_name(part));
        }
        Problem::NotAnObject(part) => {
            return format!("The {} is not a JSON object: this is not a JWT, or it is truncated.", part_name(part));
        }
        Problem::Repeated(part) => {
            return format!("The {} has a repeated member, which parsers read differently.", part_name(part));
        }
        Problem::OtherHeader => "The header has a member other than alg, kid and typ.",
        Problem::Critical => "The header has a crit, which verifiers that do not know it must reject (RFC 7515).",
        Problem::Type => "The typ is neither at+jwt (version 2) nor JWT (version 1).",
        Problem::NoKid => "The header has no kid, which names the key.",
        Problem::UnknownKey => return unknown_key(*dropped_at),
        Problem::UnsupportedKey => "The key is published, but its algorithm is not RS256, ES256 or EdDSA.",
        Problem::NoAlgorithm => "The header has no alg.",
        Problem::Unsigned => "The token is not signed (its alg is `none`): anyone can have made it.",
        Problem::Hmac => "The token is signed with a shared secret (HMAC), which this issuer does not use.",
        Problem::OtherAlgorithm(algorithm) => {
            return format!("The alg does not match the algorithm of the key, {}.", algorithm.name());
        }
        Problem::SignatureEncoding => {
            "The signature is wrong, because it is not base64url: the token was changed or truncated."
        }
        Problem::Signature => "The signature is wrong: the token was changed or forged.",
        Problem::InvalidKey => "The published key is not valid.",
        Problem::NotVerified => return format!("The signature cannot be checked: {unverified}."),
        Problem::Missing(claim) => return format!("The {claim} is missing."),
        Problem::Form(claim, form) => return format!("The {claim} is not {}.", form_name(form)),
        Problem::OtherClaim => "There is a claim that tokens of version 1 do not have: this is perhaps an ID token.",
        Problem::Issuer => return format!("The issuer is not exactly {issuer}."),
        Problem::NotYetValid(seconds) => {
            return format!("The token is not valid for another {}; check the clocks.", output::duration(seconds));
        }
        Problem::Expired(seconds) => return format!("The token expired {} ago.", output::duration(seconds)),
        Problem::ExpiresBeforeIssue => "The exp is not after the iat.",
    };
    sentence.to_owned()
}

/// Describes a key that is not published.
fn unknown_key(dropped_at: Option<u64>) -> String {
    match dropped_at {
        Some(at) => format!("The key was dropped in an emergency at {}; request a new token.", output::time(at)),
        None => {
            "The key is not published: the token is from another issuer, or the key was removed (rotated, or in an \
                 emergency)."
                .to_owned()
        }
    }
}

fn part_name(part: Part) -> &'static str {
    match part {
        Part::Header => "header",
        Part::Payload => "payload",
    }
}

fn form_name(form: Form) -> &'static str {
    match form {
        Form::Text => "a string",
        Form::Scope => "a list of scope tokens",
        Form::Scopes => "an array of scope tokens",
        Form::Time => "a whole number of seconds",
        Form::Object => "an object",
        Form::Confirmation => "the confirmation of one key",
    }
}

/// Formats an inspection as text.
pub fn format(inspection: &Inspection, problems: &[String], now: u64) -> String {
    let header = |name: &str| inspection.header.as_ref()?.get(name);
    let claim = |name: &str| inspection.claims.as_ref()?.get(name);
    let version = inspection.version.map_or_else(|| "unknown".to_owned(), |version| version.number().to_string());
    let record = output::record([
        ("version", Some(version)),
        ("algorithm", header("alg").map(value_text)),
        ("kid", header("kid").map(value_text)),
        ("issuer", claim("iss").map(value_text)),
        ("audience", claim("aud").map(value_text)),
        ("subject", claim("sub").map(value_text)),
        ("client", claim("client_id").map(value_text)),
        ("scope", claim("scope").or_else(|| claim("scopes")).map(value_text)),
        ("issued at", claim("iat").map(time)),
        ("expires", claim("exp").map(time)),
        ("jti", claim("jti").map(value_text)),
    ]);
    let (good, bad) = (output::GOOD, output::BAD);
    if inspection.is_valid() {
        let expires_at = claim("exp").and_then(Value::as_u64).unwrap_or_default();
        let left = output::duration(expires_at.saturating_sub(now));
        return format!("{record}\n\n{good}The token is valid.{good:#} It expires in {left}.");
    }
    format!("{record}\n\n{bad}The token is not valid:{bad:#}\n  {}", problems.join("\n  "))
}

/// Formats a value of a token as text.
fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(value_text).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

fn time(value: &Value) -> String {
    value.as_u64().map_or_else(|| value_text(value), output::time)
}
