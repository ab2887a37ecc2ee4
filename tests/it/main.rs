//! The tests, through the real router and over an in-process DynamoDB. A name that begins with `s_` and a number is the
//! promise of that number in `docs/security.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by it"
)]
#![allow(clippy::format_collect, reason = "nothing here is done often")]

mod cases;
mod client;
mod client_auth;
mod config;
mod faults;
mod gateway;
mod grant;
mod http;
mod keys;
mod local;
mod log;
mod params;
mod password_hash;
mod properties;
mod refresh_model;
mod refresh_token;
mod repository;
mod scope;
mod secrets;
mod store;
mod support;
mod token;
