//! The grants.

mod families;
mod password;
mod refresh_token;
mod revoked;
mod round_trips;
