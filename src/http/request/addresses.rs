//! The addresses of a request: the address of the caller, and the address of the user that the caller states.

use axum::http::HeaderMap;

use crate::grant::{Addresses, NotAnAddress};
use crate::http::Origin;

/// The header in which a client that forwards its users' addresses states the address of the user.
const USER_ADDRESS: &str = "countersign-user-address";

/// Reads the addresses of a request. `origin` is the gateway's description of it.
pub fn addresses(origin: Option<&Origin>, headers: &HeaderMap) -> Addresses {
    let mut stated = headers.get_all(USER_ADDRESS).iter();
    let forwarded = stated.next().map(|value| {
        let address = value.to_str().ok().and_then(|value| value.parse().ok());
        address.filter(|_| stated.next().is_none()).ok_or(NotAnAddress)
    });
    Addresses { source: origin.and_then(|origin| origin.source.parse().ok()), forwarded }
}
