//! `countersign client key add`.

use clap::Args;
use countersign::client::{Client, ClientKey};
use countersign::clock::Clock;
use countersign::jwt::Algorithm;

use super::{add_to, file, list};
use crate::client::{change, read_confidential};
use crate::deployment::Deployment;
use crate::error::Error;

#[derive(Args)]
pub struct Options {
    /// The id of the client
    client_id: String,
    /// A file with a public key: a JWK, a JWK set with one key, or PEM; - is stdin
    file: String,
    /// The algorithm; required for an RSA key whose JWK has none
    #[arg(long, value_name = "ALG", value_parser = Algorithm::ALL.map(Algorithm::name))]
    alg: Option<String>,
    /// The id of the key; by default that of the JWK, or the RFC 7638 thumbprint
    #[arg(long, value_parser = kid)]
    kid: Option<String>,
}

pub async fn run(deployment: &Deployment, json: bool, options: &Options) -> Result<(), Error> {
    let Options { client_id, file, alg, kid } = options;
    let key = file::read(file, client_id)?;
    let kid = kid.clone().or_else(|| key.kid().map(ToOwned::to_owned)).unwrap_or_else(|| key.thumbprint());
    let alg = match alg.as_deref().and_then(Algorithm::named) {
        Some(alg) if !key.fits(alg) => {
            return Err(Error::new(format!(
                "the key does not sign by {}; omit --alg, or choose another one",
                alg.name()
            )));
        }
        Some(alg) => alg,
        None => key.only_algorithm().ok_or(Error::new("an RSA key needs --alg: RS256 or PS256"))?,
    };
    let key = ClientKey::new(kid, alg, &key, Clock::System.now()).map_err(Error::new)?;
    let stored = read_confidential(deployment, client_id, "keys").await?;
    let add = |client: &mut Client, now| add_to(client, key, now).map(|()| None);
    list::print(json, &change(deployment, stored, add).await?)
}

fn kid(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(char::is_control) {
        return Err("the id of a key is not empty and has no control characters".to_owned());
    }
    Ok(text.to_owned())
}
