//! A share of a processor, as Lambda gives it to a function with little memory: a control group, if this machine allows
//! one.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::thread::sleep;
use std::time::Duration;

use testing::cloud::BoxError;

/// The period in which the quota of CPU time applies, in microseconds.
const PERIOD: u32 = 20_000;
/// The CPU time in a period, in microseconds: the share of 128 MB, where 1,769 MB are one processor.
const QUOTA: u32 = PERIOD * 128 / 1769;

/// A control group. Dropping this value removes it.
pub struct Share {
    group: PathBuf,
}

impl Share {
    /// Creates a control group of the version that the machine uses.
    pub fn create() -> Result<Self, BoxError> {
        let root = Path::new("/sys/fs/cgroup");
        let is_version_2 = root.join("cgroup.controllers").exists();
        let parent = if is_version_2 { root.to_owned() } else { root.join("cpu") };
        let group = parent.join(format!("countersign-bench-{}", process::id()));
        fs::create_dir(&group)?;
        let share = Self { group };
        if is_version_2 {
            fs::write(share.group.join("cpu.max"), format!("{QUOTA} {PERIOD}"))?;
        } else {
            fs::write(share.group.join("cpu.cfs_period_us"), PERIOD.to_string())?;
            fs::write(share.group.join("cpu.cfs_quota_us"), QUOTA.to_string())?;
        }
        Ok(share)
    }

    /// Moves a running process into the group.
    pub fn add(&self, process: u32) -> Result<(), BoxError> {
        Ok(fs::write(self.group.join("cgroup.procs"), process.to_string())?)
    }

    /// Returns the arguments of a shell that joins the group and then becomes the program.
    pub fn shell_arguments(&self, program: &Path) -> [OsString; 4] {
        let script = "echo $$ > \"$0\" && exec \"$1\"";
        ["-c".into(), script.into(), self.group.join("cgroup.procs").into(), program.into()]
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // The last processes in the group were killed, and may take a moment to end.
        for _ in 0..50 {
            if fs::remove_dir(&self.group).is_ok() {
                return;
            }
            sleep(Duration::from_millis(20));
        }
    }
}
