//! Client certificates (RFC 8705): authentication by a certificate, and what a token is bound to.
//!
//! 1. The gateway required the certificate and verified its chain. It is valid now, and, if it has an extended key usage, one
//!    for client authentication. Otherwise it counts as none.
//! 2. The record of the client does not list its serial number as revoked. Otherwise it counts as none.
//! 3. It has the one name of the record: the subject, a DNS name or a URI, compared byte for byte. If the record has an
//!    issuer, it has that issuer.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_cert::der::Decode;
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{ExtendedKeyUsage, SubjectAltName};

use crate::client::Client;
use crate::confirmation::Confirmation;
use crate::encoding::{hex, sha256};

mod distinguished_name;

use distinguished_name::rfc4514;

/// The extended key usage of clients: `id-kp-clientAuth` (RFC 5280 section 4.2.1.12).
const CLIENT_AUTHENTICATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

/// A certificate, as far as it is compared with records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The serial number in lower-case hex without leading zeros.
    pub serial: String,
    /// The subject in the form of RFC 4514; empty if it has no attributes.
    pub subject: String,
    /// The issuer in the form of RFC 4514.
    pub issuer: String,
    /// The DNS names (RFC 5280 section 4.2.1.6).
    pub dns_names: Vec<String>,
    /// The URIs.
    pub uris: Vec<String>,
    /// The SHA-256 of the DER in base64url (RFC 8705 section 3.1).
    thumbprint: String,
    /// The first and the last second of the validity, since the epoch.
    validity: (u64, u64),
    /// False if there is an extended key usage, but none for client authentication.
    is_for_clients: bool,
}

impl Certificate {
    /// Reads the first certificate of a PEM.
    ///
    /// # Errors
    /// The reason, which is only logged.
    pub fn read(pem: &str) -> Result<Self, &'static str> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| "a certificate that is not PEM")?;
        Self::parse(&der).map_err(|_| "a certificate that is not well-formed")
    }

    fn parse(der: &[u8]) -> x509_cert::der::Result<Self> {
        let certificate = x509_cert::Certificate::from_der(der)?;
        let parts = certificate.tbs_certificate();
        let usage = parts.get_extension::<ExtendedKeyUsage>()?;
        let names = parts.get_extension::<SubjectAltName>()?.map(|(_, names)| names.0).unwrap_or_default();
        let (mut dns_names, mut uris) = (Vec::new(), Vec::new());
        for name in &names {
            match name {
                GeneralName::DnsName(name) => dns_names.push(name.as_str().to_owned()),
                GeneralName::UniformResourceIdentifier(uri) => uris.push(uri.as_str().to_owned()),
                _ => {}
            }
        }
        let validity = parts.validity();
        Ok(Self {
            serial: serial(parts.serial_number().as_bytes()),
            subject: rfc4514(parts.subject()),
            issuer: rfc4514(parts.issuer()),
            dns_names,
            uris,
            thumbprint: sha256(der),
            validity: (
                validity.not_before.to_unix_duration().as_secs(),
                validity.not_after.to_unix_duration().as_secs(),
            ),
            is_for_clients: usage.is_none_or(|(_, usage)| usage.0.contains(&CLIENT_AUTHENTICATION)),
        })
    }

    /// Checks that the certificate counts at `now` (step 1).
    ///
    /// # Errors
    /// The reason, which is only logged.
    pub fn usable(self, now: u64) -> Result<Self, &'static str> {
        let (not_before, not_after) = self.validity;
        if now < not_before || not_after < now {
            return Err("a certificate outside its validity");
        }
        if self.is_for_clients { Ok(self) } else { Err("a certificate that is not for client authentication") }
    }

    /// Returns the key that a token with this certificate is bound to.
    pub fn confirmation(&self) -> Confirmation {
        Confirmation::X5t(self.thumbprint.clone())
    }
}

/// The certificate of a request, or the reason why it has none that counts (step 1).
pub struct RequestCertificate(Result<Certificate, &'static str>);

impl RequestCertificate {
    /// Reads the certificate that the gateway required.
    pub fn read(pem: &str, now: u64) -> Self {
        Self(Certificate::read(pem).and_then(|certificate| certificate.usable(now)))
    }

    /// Returns the value of a request for which the gateway required none.
    pub const fn none() -> Self {
        Self(Err("no certificate"))
    }

    /// Returns the key that a token with this certificate is bound to. The record of a client may still list it as revoked.
    ///
    /// # Errors
    /// The reason, which is only logged.
    pub fn confirmation(&self) -> Result<Confirmation, &'static str> {
        self.0.as_ref().map(Certificate::confirmation).map_err(|reason| *reason)
    }

    /// Returns the certificate, if it counts for this client (step 2).
    ///
    /// # Errors
    /// The reason, which is only logged.
    pub fn of(&self, client: &Client) -> Result<&Certificate, &'static str> {
        let certificate = self.0.as_ref().map_err(|reason| *reason)?;
        if client.revoked_serials.contains(&certificate.serial) {
            Err("a revoked certificate")
        } else {
            Ok(certificate)
        }
    }
}

/// Checks that a certificate proves the client. Returns the reason if it does not.
pub(super) fn prove(client: &Client, certificate: &RequestCertificate) -> Result<(), &'static str> {
    if !client.enabled {
        return Err("disabled client");
    }
    let certificate = certificate.of(client)?;
    // A record with several names, or with none, is malformed.
    let names = [
        client.tls_client_auth_subject_dn.as_ref().map(|subject| *subject == certificate.subject),
        client.tls_client_auth_san_dns.as_ref().map(|name| certificate.dns_names.contains(name)),
        client.tls_client_auth_san_uri.as_ref().map(|uri| certificate.uris.contains(uri)),
    ];
    if !names.contains(&Some(true)) {
        return Err("a certificate with another name");
    }
    if client.tls_client_auth_issuer_dn.as_ref().is_some_and(|issuer| *issuer != certificate.issuer) {
        return Err("a certificate of another issuer");
    }
    tracing::Span::current().record("secret_id", &certificate.serial);
    Ok(())
}

fn serial(bytes: &[u8]) -> String {
    let hex = hex(bytes);
    let significant = hex.trim_start_matches('0');
    if significant.is_empty() { "0".to_owned() } else { significant.to_owned() }
}
