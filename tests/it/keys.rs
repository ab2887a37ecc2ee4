//! `src/keys`: the signing keys.

mod rotate_function;
mod rotation;
mod rotation_rules;
pub mod secret;
