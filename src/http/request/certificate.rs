//! The certificate of a request (RFC 8705), from the gateway only (S-1024).

use axum::http::Extensions;

use crate::app::App;
use crate::client_auth::certificate::RequestCertificate;
use crate::http::ClientCertificate;

/// Returns the certificate of a request. Without the domain that requires certificates, none is read (S-1026).
pub fn certificate(app: &App, extensions: &Extensions) -> RequestCertificate {
    let required = app.config.mtls_domain.as_ref().and_then(|_| extensions.get());
    match required {
        Some(ClientCertificate(pem)) => RequestCertificate::read(pem, app.clock.now()),
        None => RequestCertificate::none(),
    }
}
