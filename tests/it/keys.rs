//! `src/keys`: the signing keys.

mod known_values;
mod rotate_function;
mod rotation;
mod rotation_rules;
pub mod secret;
