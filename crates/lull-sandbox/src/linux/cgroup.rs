//! A control group (cgroup v2) of our own, below the one this process is in.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec},
    fs::Access,
};

/// What our groups are called; the number of the process follows, and for its further groups one more.
const NAME: &str = "lull-workers-";
/// The most groups that one process has at once.
const GROUPS_MAX: usize = 1000;
/// The most threads of all workers together.
const TASKS_MAX: u32 = 4096;
/// How long dying processes may hold a group that is to go.
const REMOVAL_WAIT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Cgroup {
    pub(super) folder: PathBuf,
    freeze: File,
    procs: File,
}

impl Cgroup {
    /// Makes a group of our own, or says for people why there can be none.
    pub(super) fn create() -> Result<Self, String> {
        let parent = own_folder()?;
        remove_left_overs(&parent);
        let folder = make_folder(&parent)?;
        Self::open(&parent, folder.clone()).map_err(|error| {
            let _ = fs::remove_dir(&folder);
            format!("the control group {} cannot be used: {error}", folder.display())
        })
    }

    fn open(parent: &Path, folder: PathBuf) -> io::Result<Self> {
        let write = |name: &str| File::options().write(true).open(folder.join(name));
        let (freeze, procs) = (write("cgroup.freeze")?, write("cgroup.procs")?);
        // Moving a process takes the right to write to the group above both places.
        rustix::fs::access(parent.join("cgroup.procs"), Access::WRITE_OK)?;
        // Only there where the processor controller reaches down to here: then other groups come first, too.
        let _ = fs::write(folder.join("cpu.idle"), "1");
        // Likewise: what a worker knows is not to rest on a disk, and it can have no more processes than all need.
        let _ = fs::write(folder.join("memory.swap.max"), "0");
        let _ = fs::write(folder.join("pids.max"), TASKS_MAX.to_string());
        Ok(Self { folder, freeze, procs })
    }

    /// Freezes or thaws; whether the kernel took it.
    pub(super) fn set_frozen(&self, frozen: bool) -> bool {
        let word: &[u8] = if frozen { b"1" } else { b"0" };
        rustix::io::retry_on_intr(|| rustix::io::pwrite(&self.freeze, word, 0)).is_ok()
    }

    /// Takes a process in.
    pub(super) fn admit(&self, pid: u32) -> io::Result<()> {
        rustix::io::retry_on_intr(|| rustix::io::pwrite(&self.procs, pid.to_string().as_bytes(), 0))?;
        Ok(())
    }

    /// Waits until the kernel says that every process in it stands still, or that it holds none.
    pub(super) fn settled(&self, deadline: Instant) -> bool {
        self.wait_for(deadline, |events| says(events, "frozen 1"))
    }

    /// The processor time of all that was ever in it, in microseconds.
    pub(super) fn cpu_us(&self) -> u64 {
        let text = fs::read_to_string(self.folder.join("cpu.stat")).unwrap_or_default();
        let usage = text.lines().find_map(|line| line.strip_prefix("usage_usec "));
        usage.and_then(|us| us.trim().parse().ok()).unwrap_or(0)
    }

    fn wait_for(&self, deadline: Instant, met: impl Fn(&str) -> bool) -> bool {
        let Ok(events) = File::open(self.folder.join("cgroup.events")) else { return false };
        let mut text = [0; 256];
        loop {
            // Reading takes note of the state; a later change wakes the poll.
            let Ok(length) = rustix::io::pread(&events, &mut text, 0) else { return false };
            if met(&String::from_utf8_lossy(&text[..length])) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let left = Timespec::try_from(left).ok();
            let _ = rustix::event::poll(&mut [PollFd::new(&events, PollFlags::PRI)], left.as_ref());
        }
    }
}

impl Drop for Cgroup {
    /// Nobody holds what may still be in it: that ends, so that nothing stays frozen, or thaws with nobody in charge.
    fn drop(&mut self) {
        let _ = fs::write(self.folder.join("cgroup.kill"), "1");
        self.wait_for(Instant::now() + REMOVAL_WAIT, |events| says(events, "populated 0"));
        let _ = fs::remove_dir(&self.folder);
    }
}

fn says(events: &str, line: &str) -> bool {
    events.lines().any(|said| said == line)
}

/// The folder of the group that this process is in.
fn own_folder() -> Result<PathBuf, String> {
    let read = |path: &str| fs::read_to_string(path).map_err(|error| format!("{path} cannot be read: {error}"));
    let own = read("/proc/self/cgroup")?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::")).ok_or("this system has no cgroup v2")?;
    let mounts = read("/proc/self/mountinfo")?;
    mounts.lines().find_map(|line| below_mount(line, own)).ok_or_else(|| "no cgroup v2 is mounted".into())
}

/// Where a group lies if this line of `mountinfo` is a cgroup v2 that holds it.
fn below_mount(line: &str, group: &str) -> Option<PathBuf> {
    let (mount, kind) = line.split_once(" - ")?;
    if kind.split(' ').next() != Some("cgroup2") {
        return None;
    }
    let mut fields = mount.split(' ').skip(3);
    let (root, point) = (unescape(fields.next()?), unescape(fields.next()?));
    let below = Path::new(group).strip_prefix(root).ok()?;
    Some(Path::new(&point).join(below))
}

/// `mountinfo` writes spaces and the like as a backslash and three octal digits.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                plain.push(byte.into());
                plain.push_str(&part[3..]);
            }
            None => plain.push_str(part),
        }
    }
    plain
}

fn make_folder(parent: &Path) -> Result<PathBuf, String> {
    let pid = std::process::id();
    for number in 1..=GROUPS_MAX {
        let more = if number == 1 { String::new() } else { format!("-{number}") };
        let folder = parent.join(format!("{NAME}{pid}{more}"));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(format!("no control group can be made in {}: {error}", parent.display()));
            }
        }
    }
    Err(format!("{} holds {GROUPS_MAX} control groups of this process already", parent.display()))
}

/// Removes what nodes have left that are gone. A group that still holds a process cannot be removed, and stays.
fn remove_left_overs(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(owner);
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// The process that a group of ours was made by.
fn owner(name: &str) -> Option<u32> {
    name.strip_prefix(NAME)?.split('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_below_its_mount() {
        let line = |root: &str, point: &str, kind: &str| format!("41 31 0:38 {root} {point} rw shared:9 - {kind} x rw");
        let at = |root, point, group| below_mount(&line(root, point, "cgroup2"), group);
        assert_eq!(at("/", "/sys/fs/cgroup", "/"), Some("/sys/fs/cgroup/".into()));
        assert_eq!(at("/", "/sys/fs/cgroup", "/user.slice/a"), Some("/sys/fs/cgroup/user.slice/a".into()));
        assert_eq!(at("/box", "/c\\040d", "/box/a"), Some("/c d/a".into()));
        assert_eq!(at("/box", "/c", "/other"), None);
        assert_eq!(below_mount(&line("/", "/c", "cgroup"), "/"), None);
        assert_eq!(unescape("\\134\\x"), "\\x");
    }

    #[test]
    fn only_our_groups_have_an_owner() {
        assert_eq!(owner("lull-workers-12"), Some(12));
        assert_eq!(owner("lull-workers-12-3"), Some(12));
        assert_eq!(owner("lull-workers-"), None);
        assert_eq!(owner("user.slice"), None);
    }
}
