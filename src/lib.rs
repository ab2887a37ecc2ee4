//! countersign: OAuth 2.0 tokens for first-party applications and services, from one AWS Lambda function.
//!
//! # Modules, in reading order
//!
//! | module | content |
//! |---|---|
//! | `bin/api.rs` | the Lambda function of the API |
//! | `bin/rotate.rs` | the Lambda function that creates and rotates the signing keys |
//! | `cli/` (a separate package) | the CLI; one file per command |
//! | [`config`], [`app`], [`aws`] | the settings, in `config/` one type per group; the dependencies of a request handler; connections to AWS |
//! | [`gateway`] | API Gateway events as requests, and responses for API Gateway |
//! | [`http`] | the routes and their layers; error responses; CORS; `http/decision.rs`: the one log line of a request |
//! | [`http::request`] | reading requests: body, credentials, `Accept` |
//! | `http/oauth/` | called by clients: the token, revocation, introspection and userinfo endpoints, and what they have in common; the cookie with the refresh token of a browser application |
//! | `http/published/` | public documents: keys and metadata |
//! | [`http::browser`] | called by a user's browser; in `http/browser/pages/`: the pages and their texts, over the HTML of `templates/` |
//! | [`client_auth`] | how a client authenticates; in `client_auth/`: one file per method |
//! | [`issuer_keys`] | the keys of other issuers; in `issuer_keys/`: their fetch, and what the process remembers of them |
//! | [`jwt`] | the form of signed JWTs; JWTs and keys of others |
//! | [`dpop`], [`confirmation`] | proofs of possession, in `dpop/` their nonce and their URL; the key that a token is bound to |
//! | [`login`] | the one place that checks a password |
//! | [`grant`] | the one dispatch, [`grant::Request`]; in `grant/`: one file per grant, its RFC section in numbered steps |
//! | [`grant::issue`] | the successful response, and the lifetimes of what a grant issues |
//! | [`params`] | the rules of parameters: each is one line, next to the grant or the endpoint that has it |
//! | [`client`], [`user`], [`scope`] | clients, users and their permissions; in `client/`: the rules for the attributes of a client |
//! | [`authorization`] | the authorization request: its checks and its canonical query |
//! | [`redirect_uri`], [`pkce`] | the URIs to which a browser returns; code challenges and verifiers |
//! | [`resource`] | the audiences that a client may request |
//! | [`token`], [`refresh_token`] | access tokens and ID tokens, and the one verifier in `token/verify.rs`; refresh tokens, and in `refresh_token/` the rules of their families |
//! | [`revocation`], [`introspection`], [`userinfo`] | the effect of a revocation; the content of an active token; the claims about a user |
//! | [`session`], [`consent`], [`date`] | browser sessions, in `session/` the proof of forms; what users allow clients, in `consent/` its period; dates |
//! | [`keys`], [`hmac_keys`] | the signing keys; in `keys/`: the secret, the keys in it, their reload and their rotation; the HMAC keys of one purpose |
//! | [`password_hash`], [`random`] | password hashes; in `password_hash/`: one file per family of schemes, and the hasher; random ids |
//! | [`store`] | the three tables; in `store/`: one file per kind of record, the codec of items, the one `send` |
//! | [`throttle`] | the budget of guesses; in `throttle/`: its rules, and an attempt from its beginning to its result |
//! | [`risk`] | the risk of a login, and the place of a second factor |
//! | [`error`] | error responses; `error/code.rs`: the one table of codes |
//! | [`clock`], [`log`], [`durations`], `encoding` | the time; the format of log lines; the durations in them; hashes as text |
//!
//! # Path of a request
//!
//! ```text
//! API Gateway -> gateway.rs             event -> request, response -> event
//!   http.rs                             routes and layers: headers, key reload, deadline, panics
//!     http/decision.rs                  span of the request; its one log line
//!     http/cors.rs                      Vary, preflight, headers for the client's origins
//!     http/oauth/token.rs               POST /oauth/token: the checks in their order
//!       http/request/{body,accept}.rs   -> Params, TokenVersion
//!       client_auth.rs, dpop.rs         -> Client, may use grant   | concurrently
//!       grant.rs: Request::read         -> user or refresh family  |
//!       grant.rs: Request::issue        one dispatch for all grants
//!         login.rs, throttle.rs         before a slow hash: is the guess allowed? after it: count, then the result
//!         grant/*.rs: issue             checks of user and scope; token.rs signs; the write, if any
//!   Json(Issued)                        or http/error.rs
//! ```
//!
//! # Invariants
//!
//! - A grant runs only for an authenticated client that may use it.
//! - An [`error::Error`] sends a code and static text; its reason is only logged. Only [`store::StoreError`] and
//!   [`keys::KeyError`] convert into it, and become 503 or 500, so internal details cannot leak by accident.
//! - The deadline of a request drops only its handler. The log line and the headers of the response come from layers
//!   outside the deadline.
//! - One conditional update rotates a refresh token, so at most one generation of a family is active.
//! - A refresh reads client, family and user before its one write, so a request that is rejected or fails consumes
//!   nothing.
//! - The client credentials grant writes nothing, and runs no slow hash for a generated secret.
//! - A guess at a password or a slow secret has no result before it is counted: see [`throttle`].
//! - A type that contains a secret has no `Debug`, or one that shows nothing.
//! - `tests/it/repository/imports.rs` and `clippy.toml` list the modules that may use each external crate, the clock and the
//!   environment.

pub mod app;
pub mod authorization;
pub mod aws;
pub mod client;
pub mod client_auth;
pub mod clock;
pub mod config;
pub mod confirmation;
pub mod consent;
pub mod date;
pub mod dpop;
pub mod durations;
mod encoding;
pub mod error;
pub mod gateway;
pub mod grant;
pub mod hmac_keys;
pub mod http;
pub mod introspection;
pub mod issuer_keys;
pub mod jwt;
pub mod keys;
pub mod log;
pub mod login;
pub mod params;
pub mod password_hash;
pub mod pkce;
pub mod random;
pub mod redirect_uri;
pub mod refresh_token;
pub mod resource;
pub mod revocation;
pub mod risk;
pub mod scope;
pub mod session;
pub mod store;
pub mod throttle;
pub mod token;
pub mod user;
pub mod userinfo;
