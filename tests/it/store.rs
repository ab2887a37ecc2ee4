//! `src/store`: the tables.

mod conditional_writes;
