//! `src/store`: the tables.

mod conditional_writes;
mod stored_items;
