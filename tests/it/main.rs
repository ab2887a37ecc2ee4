//! The tests: requests to the real router over an emulated AWS, and tables of the pure rules. The folders mirror `src`.
//!
//! A test whose name begins with `s_` and a number proves the promise of that number in `docs/security.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a panic fails the test"
)]
#![allow(clippy::format_collect, reason = "the speed of tests does not matter here")]

mod argon2id;
mod authorization;
mod browser;
mod cases;
mod client;
mod client_auth;
mod config;
mod conformance;
mod consent;
mod date;
mod dpop;
mod faults;
mod gateway;
mod grant;
mod http;
mod keys;
mod local;
mod log;
mod params;
mod password_hash;
mod pkce;
mod properties;
mod redirect_uri;
mod refresh_model;
mod refresh_token;
mod repository;
mod resource;
mod scope;
mod secrets;
mod session;
mod store;
mod support;
mod throttle;
mod token;
mod token_kinds;
mod user;
