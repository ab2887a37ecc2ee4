//! Parsing of requests.

pub mod accept;
pub mod addresses;
pub mod authorization;
pub mod body;
pub mod certificate;
pub mod cookies;
pub mod credentials;
pub mod dpop;
pub mod form;
pub mod json;
pub mod media_type;
