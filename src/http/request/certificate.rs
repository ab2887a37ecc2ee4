//! The certificate of a request (RFC 8705), from the gateway only (S-1024).

use axum::http::Extensions;

use crate::app::App;
use crate::client_auth::certificate::Certificate;
use crate::http::ClientCertificate;

/// Returns the certificate of a request, if it counts. Without the domain that requires certificates, none is read (S-1026).
///
/// # Errors
/// The reason, which is only logged.
pub fn certificate(app: &App, extensions: &Extensions) -> Result<Certificate, &'static str> {
    let required = app.config.mtls_domain.as_ref().and_then(|_| extensions.get());
    let ClientCertificate(pem) = required.ok_or("no certificate")?;
    Certificate::read(pem)?.usable(app.clock.now())
}
