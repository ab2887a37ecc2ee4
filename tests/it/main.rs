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

mod support;

mod basic;
mod canaries;
mod cases;
mod clients;
mod clock_steps;
mod conditional_writes;
mod config;
mod cors;
mod events;
mod families;
mod fault_table;
mod faults;
mod house;
mod keys;
mod language;
mod local;
mod logs;
mod openapi;
mod password_hash;
mod processes;
mod promises;
mod properties;
mod published;
mod races;
mod refresh;
mod refresh_model;
mod request_bodies;
mod request_headers;
mod request_values;
mod resends;
mod revoked;
mod rotate_function;
mod rotation;
mod round_trips;
mod sequences;
mod template;
mod tokens;
mod users;
mod wire;
