//! countersign: OAuth 2.0 tokens for first-party applications and services, from one AWS Lambda function.
//!
//! # The map, in reading order
//!
//! | module | what it decides |
//! |---|---|
//! | `bin/api.rs` | how the API's function starts |
//! | `bin/rotate.rs` | the function that makes and rotates the signing keys: who calls it, and with what |
//! | `bin/countersign/` | the operators' command line: one file per command |
//! | [`config`], [`app`], [`aws`] | the settings, all that a request may touch, how we talk to AWS |
//! | [`gateway`] | how a gateway's event becomes a request |
//! | [`http`] | the routes; in `http/`: body, credentials and `Accept` of a request, CORS, documents; [`error`] becomes a response |
//! | [`grant`] | the grants; in `grant/`: one file per grant, its RFC section in numbered steps |
//! | [`params`], [`client`], [`user`], [`scope`] | the parameters of a request, and the records of clients and users with their scopes |
//! | [`token`], [`keys`], [`refresh_token`] | access tokens, signing keys, refresh tokens |
//! | [`password_hash`], [`random`] | password hashes in every scheme that can be imported, one file per family in `password_hash/`; random ids |
//! | [`store`] | the three tables; in `store/`: one file per kind of record, and what operators do to them |
//! | [`clock`], [`log`] | the time, and the lines that say what was decided |
//!
//! # The path of a request
//!
//! ```text
//! API Gateway -> gateway.rs           any JSON -> a request, a response -> JSON
//!   http.rs                           POST /oauth/token [span, headers, size, CORS, panics]; GET /.well-known/..
//!   http/token.rs                     in the order of checks
//!     http/{body,accept}.rs           -> Params, TokenVersion
//!     http/client_auth.rs             -> Client, authenticated   | simultaneously,
//!     grant.rs, grant/*.rs            -> Request, and its record | by grant::run
//!     grant/*.rs                      scope, user -> token.rs signs -> the one write
//!   Json(Issued)                      or http/error.rs; http/decision.rs logs the decision
//! ```
//!
//! # What holds
//!
//! - A grant runs only for a client that proved itself and may use it.
//! - A client error is constructed by name, with a fixed sentence; only [`store::StoreError`] and [`keys::KeyError`]
//!   convert into an [`error::Error`], and become 503 or 500. So no internal detail reaches a response by accident.
//! - State decides about refresh tokens, not time: one conditional update, and never more than one active generation.
//! - A refresh reads client, family and user before its one write: a request that is rejected or fails consumes nothing.
//! - The client credentials grant writes nothing, and runs no slow hash for a machine-made secret.
//! - A type that contains a secret has no `Debug`, or one that shows nothing.
//! - External crates, the clock and environment variables are each used in listed modules only: `tests/it/house.rs` and `clippy.toml` list them.

pub mod app;
pub mod aws;
pub mod client;
pub mod clock;
pub mod config;
pub mod error;
pub mod gateway;
pub mod grant;
pub mod http;
pub mod keys;
pub mod log;
pub mod params;
pub mod password_hash;
pub mod random;
pub mod refresh_token;
pub mod scope;
pub mod store;
pub mod token;
pub mod user;
