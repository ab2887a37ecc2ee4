//! `src/store`: the tables.

mod conditional_writes;
mod owners;
mod sessions;
mod stored_items;
