//! A share of a processor, as a small function has it: a control group, where this machine lets one be made.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use testing::cloud::BoxError;

/// In microseconds: how often a share is dealt out, and how much of it there is to 128 MB when 1,769 MB are a processor.
const PERIOD: u32 = 20_000;
const QUOTA: u32 = PERIOD * 128 / 1769;

/// A control group; its processes are moved out and it is removed at the end.
pub struct Share {
    group: PathBuf,
}

impl Share {
    /// Makes one, by either version of control groups.
    pub fn make() -> Result<Self, BoxError> {
        let root = Path::new("/sys/fs/cgroup");
        let second = root.join("cgroup.controllers").exists();
        let parent = if second { root.to_owned() } else { root.join("cpu") };
        let group = parent.join(format!("countersign-bench-{}", process::id()));
        fs::create_dir(&group)?;
        let share = Self { group };
        if second {
            fs::write(share.group.join("cpu.max"), format!("{QUOTA} {PERIOD}"))?;
        } else {
            fs::write(share.group.join("cpu.cfs_period_us"), PERIOD.to_string())?;
            fs::write(share.group.join("cpu.cfs_quota_us"), QUOTA.to_string())?;
        }
        Ok(share)
    }

    /// Has a process live on the share from now on.
    pub fn take_in(&self, process: u32) -> Result<(), BoxError> {
        Ok(fs::write(self.group.join("cgroup.procs"), process.to_string())?)
    }

    /// A command that has only the share from its start.
    pub fn around(&self, program: &Path, command: impl FnOnce(&Path) -> Command) -> Command {
        let mut shell = command(Path::new("/bin/sh"));
        shell.args(["-c", "echo $$ > \"$0\" && exec \"$1\""]).arg(self.group.join("cgroup.procs")).arg(program);
        shell
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // The last processes in it were told to end, and may take a moment.
        for _ in 0..50 {
            if fs::remove_dir(&self.group).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}
