//! `countersign client trust add`.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use countersign::client::{ClaimText, Client, IssuerUrl, MaxAge, RequiredClaims, Trust, WrittenKeys};
use countersign::clock::Clock;
use countersign::jwt::Jwt;
use serde_json::{Map, Value};

use super::{change, check, check_issuer, print};
use crate::client::read_confidential;
use crate::deployment::Deployment;
use crate::error::Error;
use crate::{input, output};

#[derive(Args)]
pub struct Options {
    /// The id of the client
    client_id: String,
    /// The issuer, exactly as the tokens have it in `iss`
    #[arg(long, value_name = "URL", required_unless_present = "from_token")]
    issuer: Option<String>,
    /// The subject, exactly as the tokens have it in `sub`
    #[arg(long, required_unless_present = "from_token")]
    subject: Option<String>,
    /// The audience of the tokens, if it is not the issuer of the deployment
    #[arg(long)]
    audience: Option<String>,
    /// Claims that the tokens must have, nested as in the token
    #[arg(long, value_name = "JSON", value_parser = input::object)]
    claims: Option<Map<String, Value>>,
    /// The largest age of a token (seconds, or 5m, 24h); without it 1h
    #[arg(long, value_name = "DURATION", value_parser = max_age)]
    max_age: Option<MaxAge>,
    /// A file with the key set of an issuer that does not publish it
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// Read a token from stdin, verify it, and trust its issuer and subject
    #[arg(long)]
    from_token: bool,
    /// Do not prompt for confirmation
    #[arg(long)]
    yes: bool,
}

pub async fn run(deployment: &Deployment, json: bool, options: Options) -> Result<(), Error> {
    let stored = read_confidential(deployment, &options.client_id, "trust entries").await?;
    let token = if options.from_token { Some(input::secret("Token")?) } else { None };
    let trust = options.entry(token.as_deref(), Clock::System.now())?;
    check_issuer(&deployment.config.issuer, &trust)?;
    if let Some(same) = stored.record.federated.iter().find(|other| other.is_same(&trust)) {
        output::remark(&format!("the entry {} trusts the same tokens; nothing was written", same.name()));
        return print(json, &stored.record);
    }
    if let Some(token) = &token {
        verify(deployment, &stored.record, &trust, token).await?;
    }
    let add = |client: &mut Client, _| {
        client.federated.push(trust);
        let question = || (options.yes, format!("Trust this workload as the client {}?", options.client_id));
        Ok(options.from_token.then(question))
    };
    print(json, &change(deployment, stored, add).await?)
}

impl Options {
    /// Builds the entry of the options, and of the token if there is one.
    fn entry(&self, token: Option<&str>, now: u64) -> Result<Trust, Error> {
        let jwt = token.map(Jwt::read).transpose().map_err(not_a_token)?;
        let claim = |name| jwt.as_ref().and_then(|jwt| jwt.text(name)).unwrap_or_default().to_owned();
        let issuer = self.issuer.clone().unwrap_or_else(|| claim("iss"));
        let subject = self.subject.clone().unwrap_or_else(|| claim("sub"));
        let issuer = IssuerUrl::try_from(issuer).map_err(|error| Error::new(error.to_string()))?;
        let mut trust = Trust::new(issuer, ClaimText::try_from(subject).map_err(Error::new)?, now);
        trust.audience = self.audience.clone().map(ClaimText::try_from).transpose().map_err(Error::new)?;
        trust.max_age = self.max_age;
        if let Some(claims) = self.claims.clone() {
            trust.claims = RequiredClaims::try_from(claims).map_err(|error| Error::new(error.to_string()))?;
        }
        if let Some(file) = &self.jwks {
            let name = file.display();
            let text = fs::read_to_string(file).map_err(|error| Error::new(format!("cannot read {name}: {error}")))?;
            let keys = WrittenKeys::try_from(text).map_err(|reason| Error::new(format!("{name}: {reason}")))?;
            trust.jwks = Some(keys);
        }
        Ok(trust)
    }
}

fn not_a_token(reason: &str) -> Error {
    Error::new(format!("stdin has {reason}; write the token of the platform to stdin"))
}

/// Checks the token against the new entry, and shows what it proves.
async fn verify(deployment: &Deployment, client: &Client, trust: &Trust, token: &str) -> Result<(), Error> {
    let mut candidate = Client::new(client.client_id.clone(), 0);
    candidate.federated.push(trust.clone());
    check(deployment, &candidate, token).await.map_err(|reason| {
        Error::new(format!("the token does not prove the workload: {reason}; nothing was changed"))
    })?;
    let jwt = Jwt::read(token).map_err(not_a_token)?;
    for (name, value) in jwt.claims() {
        output::remark(&output::clean(format!("{name}: {value}")));
    }
    Ok(())
}

fn max_age(text: &str) -> Result<MaxAge, String> {
    let seconds = input::duration(text)?.try_into().unwrap_or(u32::MAX);
    MaxAge::try_from(seconds).map_err(ToOwned::to_owned)
}
