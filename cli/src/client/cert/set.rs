//! `countersign client cert set`.

use clap::{Args, ValueEnum};
use countersign::client::Client;
use countersign::client_auth::certificate::Certificate;
use countersign::clock::Clock;

use super::show;
use crate::client::{change, read_confidential};
use crate::deployment::Deployment;
use crate::error::Error;
use crate::{input, output};

#[derive(Args)]
pub struct Options {
    /// The id of the client
    client_id: String,
    /// A file with the certificate of the client as PEM; - is stdin
    file: String,
    /// The name that is compared; by default the subject
    #[arg(long, value_name = "NAME", default_value = "subject")]
    by: By,
    /// Accept the name from every CA of the truststore
    #[arg(long)]
    any_issuer: bool,
}

/// The name of a certificate that is compared.
#[derive(Clone, Copy, ValueEnum)]
enum By {
    Subject,
    SanDns,
    SanUri,
}

pub async fn run(deployment: &Deployment, json: bool, options: &Options) -> Result<(), Error> {
    let Options { client_id, file, by, any_issuer } = options;
    let text = input::text(file)?;
    let file = input::shown(file);
    let certificate = Certificate::read(&text).map_err(|problem| {
        Error::new(format!("cannot use {file}: {problem}; give a file that has `-----BEGIN CERTIFICATE-----`"))
    })?;
    if let Err(problem) = certificate.clone().usable(Clock::System.now()) {
        output::remark(&format!("warning: the function does not accept this certificate: it is {problem}"));
    }
    let Certificate { subject, issuer, dns_names, uris, .. } = certificate;
    let subjects: Vec<_> = Some(subject).filter(|subject| !subject.is_empty()).into_iter().collect();
    let stored = read_confidential(deployment, client_id, "certificate").await?;
    let set = |client: &mut Client, _| {
        (client.tls_client_auth_subject_dn, client.tls_client_auth_san_dns, client.tls_client_auth_san_uri) = match by {
            By::Subject => (Some(only(file, "subject", subjects)?), None, None),
            By::SanDns => (None, Some(only(file, "DNS name", dns_names)?), None),
            By::SanUri => (None, None, Some(only(file, "URI", uris)?)),
        };
        client.tls_client_auth_issuer_dn = Some(issuer).filter(|_| !any_issuer);
        Ok(None)
    };
    show::print(json, &change(deployment, stored, set).await?)
}

/// Returns the one name of this kind.
fn only(file: &str, kind: &str, names: Vec<String>) -> Result<String, Error> {
    match <[String; 1]>::try_from(names) {
        Ok([name]) => Ok(name),
        Err(names) if names.is_empty() => {
            Err(Error::new(format!("the certificate in {file} has no {kind}; choose another name with --by")))
        }
        Err(names) => Err(Error::new(format!(
            "the certificate in {file} has several names of this kind: {}; set one with `countersign client update`",
            names.join(", ")
        ))),
    }
}
