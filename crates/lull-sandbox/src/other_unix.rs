//! macOS and other Unix: a signal to each process. What a kernel offers beyond that is not used: no control groups, no
//! descriptors for processes. So whoever adopts a process must not wait for it before it has been forgotten.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use rustix::process::{Pid, Signal};

use crate::{Ended, Method, RELEASE_MAX};

/// The lowest priority that every Unix has.
const NICE_LOWEST: i32 = 19;
/// How often it is looked whether a killed process is gone.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Nothing: these systems let no ordinary program ask for it by documented means.
pub(crate) fn hurry() {}

#[derive(Debug)]
pub(crate) struct Entry {
    pid: Pid,
    stopped: AtomicBool,
}

impl Entry {
    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    pub(crate) fn lower(&self) -> io::Result<()> {
        Ok(rustix::process::setpriority_process(Some(self.pid), NICE_LOWEST)?)
    }

    pub(crate) fn end(&self) -> Ended {
        let start = Instant::now();
        let _ = rustix::process::setpriority_process(Some(self.pid), 0);
        let mut gone = rustix::process::kill_process(self.pid, Signal::KILL).is_err();
        // A killed process that nobody has waited for is still there; its memory is not.
        while !gone && start.elapsed() < RELEASE_MAX {
            gone = has_ended(self.pid);
            if !gone {
                std::thread::sleep(LOOK_EVERY);
            }
        }
        Ended { took: start.elapsed(), released: gone }
    }
}

/// Whether a child has ended, without taking note of it: whoever started it still can.
fn has_ended(pid: Pid) -> bool {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::Pid(pid), options), Ok(None))
}

#[derive(Debug)]
pub(crate) struct Floor {
    why: String,
    held: ArcSwap<Vec<Arc<Entry>>>,
}

impl Floor {
    pub(crate) fn best() -> Self {
        Self::signals("this system has no control groups".into())
    }

    pub(crate) fn signals(why: String) -> Self {
        Self { why, held: ArcSwap::default() }
    }

    pub(crate) fn method(&self) -> Method {
        Method::Signals { why: self.why.clone() }
    }

    pub(crate) fn admit(&self, pid: u32) -> io::Result<Arc<Entry>> {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
        rustix::process::test_kill_process(pid)?;
        let entry = Arc::new(Entry { pid, stopped: AtomicBool::new(false) });
        self.held.rcu(|held| held.iter().chain([&entry]).cloned().collect::<Vec<_>>());
        Ok(entry)
    }

    pub(crate) fn forget(&self, entry: &Arc<Entry>) {
        self.held.rcu(|held| held.iter().filter(|other| !Arc::ptr_eq(other, entry)).cloned().collect::<Vec<_>>());
    }

    pub(crate) fn stop(&self) {
        self.held.load().iter().for_each(|entry| self.stop_one(entry));
    }

    pub(crate) fn stop_one(&self, entry: &Entry) {
        entry.stopped.store(true, SeqCst);
        let _ = rustix::process::kill_process(entry.pid, Signal::STOP);
    }

    pub(crate) fn go(&self) -> bool {
        for entry in self.held.load().iter().filter(|entry| entry.stopped.swap(false, SeqCst)) {
            let _ = rustix::process::kill_process(entry.pid, Signal::CONT);
        }
        true
    }

    /// A process that has been sent SIGSTOP runs no further instruction of its own once the signal has reached its
    /// threads; these systems do not say when that is, so it is known only that the signal was sent.
    pub(crate) fn settled(&self, _within: Duration) -> bool {
        self.held.load().iter().all(|entry| entry.stopped.load(SeqCst))
    }

    /// Not known here without the system's own libraries.
    pub(crate) fn cpu_us(&self) -> u64 {
        0
    }

    pub(crate) fn pids(&self) -> Vec<u32> {
        self.held.load().iter().map(|entry| entry.pid()).collect()
    }
}

#[cfg(test)]
#[path = "other_unix_tests.rs"]
mod tests;
