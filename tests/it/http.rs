//! `src/http`: the endpoints.

mod allocations;
mod bodies;
mod cookies;
mod cors;
mod headers;
pub mod oauth;
mod openapi;
mod pages;
mod parameters;
mod published;
mod request;
mod token;
