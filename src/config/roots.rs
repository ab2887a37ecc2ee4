//! The root certificates that are trusted.

use std::ffi::OsString;
use std::fs;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::{ConfigError, Variables};
use crate::aws::Roots;

/// Returns the root certificates that a process trusts, from a lookup of its variables by name. `AWS_CA_BUNDLE` names a
/// file of them, as for every AWS tool. Without that, a Lambda function that calls AWS's default endpoints trusts Amazon's
/// root certificates. In other partitions, whose endpoints may have other ones, and outside Lambda, those of the machine
/// are trusted.
///
/// # Errors
/// [`ConfigError`] if the file cannot be read, or contains no certificate.
pub fn roots(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Roots, ConfigError> {
    const FILE: &str = "AWS_CA_BUNDLE";
    if let Some(file) = lookup(FILE).filter(|file| !file.is_empty()) {
        let text = fs::read_to_string(file).map_err(|error| {
            // The text of the error quotes neither the path nor the content.
            ConfigError { variable: FILE, problem: format!("names a file that cannot be read: {error}").into() }
        })?;
        let certificates = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
        return match certificates {
            Ok(certificates) if !certificates.is_empty() => Ok(Roots::Pem(text)),
            _ => Err(ConfigError::new(FILE, "names a file that does not contain PEM certificates")),
        };
    }
    let variables = Variables(&lookup);
    let in_lambda = variables.optional("AWS_LAMBDA_RUNTIME_API")?.is_some();
    let has_custom_endpoint = variables.optional("AWS_ENDPOINT_URL")?.is_some();
    let region = variables.optional("AWS_REGION")?.unwrap_or_default();
    let is_other_partition = region.starts_with("cn-") || region.contains("iso") || region.starts_with("eusc-");
    Ok(if in_lambda && !has_custom_endpoint && !is_other_partition { Roots::Amazon } else { Roots::System })
}
