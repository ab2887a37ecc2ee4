//! Rules about the files of this repository.

mod imports;
mod promises;
mod template;
