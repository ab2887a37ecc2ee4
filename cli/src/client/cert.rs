//! `countersign client cert`: the certificate with which a client authenticates (mutual TLS).

use clap::Subcommand;

use super::read;
use crate::deployment::Deployment;
use crate::error::Error;

mod revoke;
mod set;
mod show;

#[derive(Subcommand)]
pub enum Command {
    /// Take the name and the issuer of a client's certificate from a file
    #[command(after_help = "The client uses the name if its method is tls_client_auth.

Examples:
  countersign client cert set report report.crt
  openssl s_client -connect report.example:443 </dev/null \\
    | countersign client cert set report - --by san-dns
  countersign client update report --auth-method tls_client_auth")]
    Set(set::Options),
    /// Revoke a certificate of a client by its serial number: it is rejected from the next request on
    #[command(after_help = "Example:
  countersign client cert revoke report \\
    $(openssl x509 -in report.crt -noout -serial | cut -d= -f2)")]
    Revoke(revoke::Options),
    /// Show the name of a client's certificate, its issuer, and the revoked serial numbers
    Show {
        /// The id of the client
        client_id: String,
    },
}

pub async fn run(deployment: &Deployment, json: bool, command: Command) -> Result<(), Error> {
    match command {
        Command::Set(options) => set::run(deployment, json, &options).await,
        Command::Revoke(options) => revoke::run(deployment, json, &options).await,
        Command::Show { client_id } => show::print(json, &read(deployment, &client_id).await?.record),
    }
}
