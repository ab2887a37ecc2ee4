//! Rules for the files of this repository.

use std::fs;
use std::path::{Path, PathBuf};

mod conformance;
mod imports;
mod language;
mod metrics;
mod profiles;
mod promises;
mod targets;
mod template;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the Rust and Python files in a folder of the repository.
fn source_files(folder: &str) -> Vec<PathBuf> {
    let mut folders = vec![root().join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("node_modules") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "py") {
                files.push(path);
            }
        }
    }
    files
}
