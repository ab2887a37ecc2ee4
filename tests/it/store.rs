//! The tables.

mod conditional_writes;
