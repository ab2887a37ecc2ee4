//! Rules about the files of this repository.

mod imports;
mod language;
mod promises;
mod template;
