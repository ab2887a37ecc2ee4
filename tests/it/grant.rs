//! `src/grant`: one file per grant, and their shared promises.

mod authorization_code;
mod bound;
mod client_credentials;
mod families;
mod hash_upgrades;
mod password;
mod refresh_token;
mod resources;
mod revoked;
pub mod round_trips;
