//! Threads confined to a part of a processor, by a control group of version 1.

use std::path::{Path, PathBuf};

/// Of this many microseconds…
const PERIOD: u32 = 5_000;

/// A group that threads are in. Dropping it removes it, once they are gone.
pub struct Confined(PathBuf);

impl Confined {
    /// Whether this machine has what it takes.
    pub fn is_possible() -> bool {
        Path::new("/sys/fs/cgroup/cpu/tasks").exists()
    }

    /// Lets a thread have so many microseconds of each [`PERIOD`].
    pub fn confine(thread: &str, quota: u32) -> std::io::Result<Self> {
        let folder = Path::new("/sys/fs/cgroup/cpu").join(format!("peers-dispatch-{}-{thread}", std::process::id()));
        std::fs::create_dir(&folder)?;
        let group = Self(folder);
        let write = |file: &str, value: String| std::fs::write(group.0.join(file), value);
        write("cpu.cfs_period_us", PERIOD.to_string())?;
        write("cpu.cfs_quota_us", quota.to_string())?;
        write("tasks", thread.to_owned())?;
        Ok(group)
    }

    /// What part of a processor that is, in percent.
    pub fn percent(quota: u32) -> u32 {
        quota * 100 / PERIOD
    }
}

impl Drop for Confined {
    fn drop(&mut self) {
        // Its threads go back to where they came from.
        if let Ok(threads) = std::fs::read_to_string(self.0.join("tasks")) {
            for thread in threads.lines() {
                let _ = std::fs::write("/sys/fs/cgroup/cpu/tasks", thread);
            }
        }
        let _ = std::fs::remove_dir(&self.0);
    }
}
