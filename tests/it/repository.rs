//! Rules about the files of this repository.

mod imports;
mod language;
mod metrics;
mod promises;
mod template;
