//! countersign: OAuth 2.0 tokens for first-party applications and services, from one AWS Lambda function.
//!
//! # Modules, in reading order
//!
//! | module | content |
//! |---|---|
//! | `bin/api.rs` | the Lambda function of the API |
//! | `bin/rotate.rs` | the Lambda function that creates and rotates the signing keys |
//! | `bin/countersign/` | the command line for operators; one file per command |
//! | [`config`], [`app`], [`aws`] | the settings; the dependencies of a request handler; connections to AWS |
//! | [`gateway`] | API Gateway events as requests, and responses for API Gateway |
//! | [`http`] | the routes; in `http/`: parsing, client authentication, CORS, public documents, error responses |
//! | `http/decision.rs` | the one log line of a request |
//! | [`grant`] | the one dispatch, [`grant::run`]; in `grant/`: one file per grant, its RFC section in numbered steps |
//! | [`params`], [`client`], [`user`], [`scope`] | the parameters of a request; clients, users and their permissions |
//! | [`token`], [`refresh_token`] | access tokens; refresh tokens and their families |
//! | [`keys`] | the signing keys; in `keys/`: the secret, its reload and its rotation |
//! | [`password_hash`], [`random`] | password hashes; in `password_hash/`: one file per family of schemes; random ids |
//! | [`store`] | the three tables; in `store/`: one file per kind of record, and the writes of operators |
//! | [`error`] | the errors of the wire contract |
//! | [`clock`], [`log`] | the time; the format of log lines |
//!
//! # Path of a request
//!
//! ```text
//! API Gateway -> gateway.rs        event -> request, response -> event
//!   http.rs                        routes; limit of the body, headers of every response, panics
//!     http/decision.rs             span of the request; its one log line
//!     http/cors.rs                 Vary, preflight, headers for the client's origins
//!     http/token.rs                POST /oauth/token: the checks in their order
//!       http/{body,accept}.rs      -> Params, TokenVersion
//!       grant.rs                   run: one dispatch for all grants
//!         http/client_auth.rs      -> Client, may use grant   | concurrently
//!         grant/*.rs: read         -> user or refresh family  |
//!         grant/*.rs: issue        checks of user and scope; token.rs signs; the write, if any
//!   Json(Issued)                   or http/error.rs
//! ```
//!
//! # Invariants
//!
//! - A grant runs only for an authenticated client that may use it.
//! - Each client error is a variant of [`error::Error`] with a fixed description. Only [`store::StoreError`] and
//!   [`keys::KeyError`] convert into it, and become 503 or 500, so internal details cannot leak by accident.
//! - One conditional update rotates a refresh token, so at most one generation of a family is active.
//! - A refresh reads client, family and user before its one write, so a request that is rejected or fails consumes
//!   nothing.
//! - The client credentials grant writes nothing, and runs no slow hash for a generated secret.
//! - A type that contains a secret has no `Debug`, or one that shows nothing.
//! - `tests/it/repository/imports.rs` and `clippy.toml` list the modules that may use each external crate, the clock and the
//!   environment.

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
