//! Temporary folders.

use std::path::PathBuf;
use std::{env, fs, io, process};

/// A temporary folder, deleted when this value is dropped.
pub struct Folder {
    pub path: PathBuf,
}

impl Folder {
    /// Creates a folder whose name contains `part`.
    pub fn create(part: &str) -> io::Result<Self> {
        let path = env::temp_dir().join(format!("countersign-bench-{part}-{}", process::id()));
        fs::create_dir(&path)?;
        Ok(Self { path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
