//! `countersign client cert show`.

use countersign::client::Client;
use serde::Serialize;

use crate::error::Error;
use crate::output;

/// The certificate of a client, as JSON.
#[derive(Serialize)]
struct View<'a> {
    client_id: &'a str,
    /// True if the client authenticates by its certificate.
    used: bool,
    subject_dn: Option<&'a str>,
    san_dns: Option<&'a str>,
    san_uri: Option<&'a str>,
    issuer_dn: Option<&'a str>,
    revoked_serials: Vec<&'a str>,
}

/// Prints the certificate of a client.
pub fn print(json: bool, client: &Client) -> Result<(), Error> {
    let view = View {
        client_id: &client.client_id,
        used: client.uses_certificate(),
        subject_dn: client.tls_client_auth_subject_dn.as_deref(),
        san_dns: client.tls_client_auth_san_dns.as_deref(),
        san_uri: client.tls_client_auth_san_uri.as_deref(),
        issuer_dn: client.tls_client_auth_issuer_dn.as_deref(),
        revoked_serials: client.revoked_serials.iter().collect(),
    };
    output::result(json, &view, || {
        let id = view.client_id;
        let hint = format!("no; set it with `countersign client update {id} --auth-method tls_client_auth`");
        output::record([
            ("used", Some(if view.used { "yes".to_owned() } else { hint })),
            ("subject", view.subject_dn.map(ToOwned::to_owned)),
            ("dns_name", view.san_dns.map(ToOwned::to_owned)),
            ("uri", view.san_uri.map(ToOwned::to_owned)),
            ("issuer", view.issuer_dn.map(ToOwned::to_owned)),
            ("revoked", Some(view.revoked_serials.join(" ")).filter(|revoked| !revoked.is_empty())),
        ])
    })
}
