//! Linux: a control group where one can be had, and a signal for every process that is not in it.

mod calls;
mod cgroup;
pub(crate) mod confine;
mod process;

use std::{
    io,
    num::NonZeroU64,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use cgroup::Cgroup;
pub(crate) use process::Entry;

use crate::Method;

/// The shortest time slice that the kernel gives, in nanoseconds.
const SLICE_NS: u64 = 100_000;
/// How late timers of a thread in a hurry may be, in nanoseconds.
const TIMER_SLACK_NS: NonZeroU64 = NonZeroU64::new(1_000).unwrap();
/// How often it is looked whether processes have stopped that were sent a signal: no event tells that to anybody but
/// their parent, which may be waiting for them elsewhere.
const LOOK_EVERY: Duration = Duration::from_micros(500);

pub(crate) fn hurry() {
    let nice = rustix::process::getpriority_process(None).unwrap_or(0);
    let _ = calls::set_own_slice(nice, SLICE_NS);
    let _ = rustix::thread::set_current_timer_slack(Some(TIMER_SLACK_NS));
}

#[derive(Debug)]
pub(crate) struct Floor {
    group: Result<Cgroup, String>,
    /// Set for good when the kernel has refused to freeze the group: signals then go to all.
    refused: AtomicBool,
    held: ArcSwap<Vec<Arc<Entry>>>,
    /// How many of them are outside the group.
    outside: AtomicUsize,
    /// Processor time of those outside the group that are no longer held, in microseconds.
    past_us: AtomicU64,
}

impl Floor {
    pub(crate) fn best() -> Self {
        Self::with(Cgroup::create())
    }

    pub(crate) fn signals(why: String) -> Self {
        Self::with(Err(why))
    }

    fn with(group: Result<Cgroup, String>) -> Self {
        Self {
            group,
            refused: AtomicBool::new(false),
            held: ArcSwap::default(),
            outside: AtomicUsize::new(0),
            past_us: AtomicU64::new(0),
        }
    }

    pub(crate) fn method(&self) -> Method {
        match &self.group {
            Ok(group) => Method::Cgroup { folder: group.folder.clone() },
            Err(why) => Method::Signals { why: why.clone() },
        }
    }

    /// Takes a process into the group, or else among those that are sent signals.
    pub(crate) fn admit(&self, pid: u32) -> io::Result<Arc<Entry>> {
        let mut entry = Entry::open(pid)?;
        entry.outside = !self.group.as_ref().is_ok_and(|group| group.admit(pid).is_ok());
        let entry = Arc::new(entry);
        self.outside.fetch_add(entry.outside.into(), SeqCst);
        self.held.rcu(|held| held.iter().chain([&entry]).cloned().collect::<Vec<_>>());
        Ok(entry)
    }

    pub(crate) fn forget(&self, entry: &Arc<Entry>) {
        self.held.rcu(|held| held.iter().filter(|other| !Arc::ptr_eq(other, entry)).cloned().collect::<Vec<_>>());
        self.outside.fetch_sub(entry.outside.into(), SeqCst);
        if entry.outside {
            self.past_us.fetch_add(entry.cpu_us(), SeqCst);
        }
    }

    pub(crate) fn stop(&self) {
        let grouped = self.group.as_ref().is_ok_and(|group| group.set_frozen(true));
        if !grouped && self.group.is_ok() {
            self.refused.store(true, SeqCst);
        }
        if !grouped || self.outside.load(SeqCst) > 0 {
            self.held.load().iter().for_each(|entry| self.stop_one(entry));
        }
    }

    /// Stops one process, unless the group does.
    pub(crate) fn stop_one(&self, entry: &Entry) {
        if entry.outside || self.refused.load(SeqCst) {
            entry.stop();
        }
    }

    /// Thaws; whether that worked.
    pub(crate) fn go(&self) -> bool {
        let thawed = self.group.as_ref().map_or(true, |group| group.set_frozen(false) || self.refused.load(SeqCst));
        if thawed {
            self.held.load().iter().for_each(|entry| entry.go());
        }
        thawed
    }

    pub(crate) fn settled(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        let refused = self.refused.load(SeqCst);
        if let Ok(group) = &self.group
            && !refused
            && !group.settled(deadline)
        {
            return false;
        }
        loop {
            if self.held.load().iter().all(|entry| !(entry.outside || refused) || entry.is_still()) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    pub(crate) fn cpu_us(&self) -> u64 {
        let grouped = self.group.as_ref().map_or(0, Cgroup::cpu_us);
        let outside: u64 = self.held.load().iter().filter(|entry| entry.outside).map(|entry| entry.cpu_us()).sum();
        grouped + outside + self.past_us.load(SeqCst)
    }

    pub(crate) fn pids(&self) -> Vec<u32> {
        self.held.load().iter().map(|entry| entry.pid()).collect()
    }
}
