//! A folder for one run.

use std::path::PathBuf;
use std::{env, fs, io, process};

/// A temporary folder that is gone with the value.
pub struct Folder {
    pub path: PathBuf,
}

impl Folder {
    pub fn make(what: &str) -> io::Result<Self> {
        let path = env::temp_dir().join(format!("countersign-bench-{what}-{}", process::id()));
        fs::create_dir(&path)?;
        Ok(Self { path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
