//! Server errors of a request with `prompt=none`: no page is shown, so the client gets them at its redirect URI (OpenID
//! Connect Core section 3.1.2.6).

use std::mem;
use std::sync::{Arc, OnceLock};

use axum::response::Response;

use super::responses::redirect;
use crate::authorization::ReturnAddress;
use crate::http::decision::Decision;

/// The address that gets the server errors of one request. The layer of the routes holds it too, so that a handler that
/// panics or exceeds the deadline also leaves a redirect.
#[derive(Clone, Default)]
pub(super) struct SilentAddress(Arc<OnceLock<(ReturnAddress, String)>>);

impl SilentAddress {
    /// Stores the proven address of a request that shows no page.
    pub fn set(&self, address: &ReturnAddress, issuer: &str) {
        // A request has one address.
        let _ = self.0.set((address.clone(), issuer.to_owned()));
    }

    /// Turns a server error into the redirect with that error, if the request has an address. Returns every other
    /// response as it is.
    pub fn redirected(&self, mut response: Response) -> Response {
        let (Some((address, issuer)), Some(Decision::NotIssued(error))) = (self.0.get(), response.extensions().get())
        else {
            return response;
        };
        if !response.status().is_server_error() {
            return response;
        }
        let mut redirected = redirect(&address.with_error(error, issuer));
        // The decision for the log.
        *redirected.extensions_mut() = mem::take(response.extensions_mut());
        redirected
    }
}
