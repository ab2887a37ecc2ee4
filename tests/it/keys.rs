//! The signing keys.

mod rotate_function;
mod rotation;
pub mod secret;
