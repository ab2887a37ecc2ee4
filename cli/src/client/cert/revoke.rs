//! `countersign client cert revoke`.

use clap::Args;
use countersign::client::Client;

use super::show;
use crate::client::{change, read};
use crate::deployment::Deployment;
use crate::error::Error;

/// The largest length of a serial number: 20 bytes (RFC 5280 section 4.1.2.2).
const MAX_DIGITS: usize = 40;

#[derive(Args)]
pub struct Options {
    /// The id of the client
    client_id: String,
    /// The serial number in hex; colons, capitals and leading zeros have no meaning
    #[arg(value_parser = canonical)]
    serial: String,
}

pub async fn run(deployment: &Deployment, json: bool, options: &Options) -> Result<(), Error> {
    let Options { client_id, serial } = options;
    let revoke = |client: &mut Client, _| {
        client.revoked_serials.insert(serial.clone()).map_err(|error| Error::new(error.to_string()))?;
        Ok(None)
    };
    show::print(json, &change(deployment, read(deployment, client_id).await?, revoke).await?)
}

/// Returns a serial number in the form of records: lower-case hex without leading zeros.
fn canonical(text: &str) -> Result<String, String> {
    let hex = text.replace(':', "").to_ascii_lowercase();
    if hex.is_empty() || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("a serial number is hex, as `openssl x509 -noout -serial` prints it".to_owned());
    }
    let significant = hex.trim_start_matches('0');
    if significant.len() > MAX_DIGITS {
        return Err("a serial number has at most 40 hex digits".to_owned());
    }
    Ok(if significant.is_empty() { "0" } else { significant }.to_owned())
}
