//! When to freeze and when to thaw: the same on every system. What stops and starts processes is the platform's floor.

use std::{
    fmt, io,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst, fence},
    },
    time::Duration,
};

use crate::platform::{Entry, Floor};

/// Holds all worker processes of one node, to freeze them at once. To be shared in an [`Arc`].
///
/// Dropping it, and every [`Adopted`], ends what is still in its control group.
#[derive(Debug)]
pub struct Freezer {
    floor: Arc<Floor>,
    /// What was last asked for.
    frozen: AtomicBool,
    /// Freezes that have begun, and those of them that have been carried out.
    begun: AtomicU64,
    done: AtomicU64,
    /// Thaws and adoptions, one at a time. A freeze never waits for it.
    one_at_a_time: Mutex<()>,
}

/// How a [`Freezer`] freezes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// A control group of our own.
    Cgroup {
        /// Where it is.
        folder: PathBuf,
    },
    /// A signal to each process.
    Signals {
        /// Why there is no control group.
        why: String,
    },
    /// This system cannot freeze: workers are ended instead.
    End,
}

/// The number of freezes so far. Whoever thaws shows which of them it knew of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// From the call until its memory was back with the system, or until nobody waited any longer.
    pub took: Duration,
    /// Whether the memory is back. The process itself may still be on its way out beside busier ones.
    pub released: bool,
}

/// A process that is held. Dropping it forgets the process without ending or thawing it.
#[derive(Debug)]
pub struct Adopted {
    floor: Arc<Floor>,
    entry: Arc<Entry>,
}

impl Freezer {
    /// Takes the best way there is: a control group of its own where this process may make one, else signals.
    /// [`Freezer::method`] says which. On Linux, empty groups that dead nodes have left are removed.
    #[must_use]
    pub fn new() -> Self {
        Self::on(Floor::best())
    }

    /// Uses signals, whatever else there is.
    #[must_use]
    pub fn signals_only() -> Self {
        Self::on(Floor::signals("only signals were asked for".into()))
    }

    fn on(floor: Floor) -> Self {
        Self {
            floor: Arc::new(floor),
            frozen: AtomicBool::new(false),
            begun: AtomicU64::new(0),
            done: AtomicU64::new(0),
            one_at_a_time: Mutex::new(()),
        }
    }

    /// How it freezes.
    #[must_use]
    pub fn method(&self) -> Method {
        self.floor.method()
    }

    /// Takes a process that this one has started and not yet waited for: lowers the priority of all its threads, for
    /// processor and disk, for good, and holds it from now on. If all is frozen, so is this one. May block for some
    /// tens of milliseconds.
    ///
    /// # Errors
    /// When the process is gone or another user's, or is this very process.
    pub fn adopt(&self, pid: u32) -> io::Result<Adopted> {
        if pid == std::process::id() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a process cannot hold itself"));
        }
        let _alone = self.alone();
        let entry = self.floor.admit(pid)?;
        let adopted = Adopted { floor: Arc::clone(&self.floor), entry };
        // Either a freeze that comes now sees the new process, or its flag is seen here.
        fence(SeqCst);
        if self.frozen.load(SeqCst) {
            self.floor.stop_one(&adopted.entry);
        }
        adopted.entry.lower()?;
        Ok(adopted)
    }

    /// Freezes every worker, now and until a thaw. From any thread, as often as one likes; waits for nothing and takes
    /// no lock. That they really stand still shows [`Freezer::settled`].
    pub fn freeze(&self) {
        self.begun.fetch_add(1, SeqCst);
        self.frozen.store(true, SeqCst);
        fence(SeqCst);
        self.floor.stop();
        self.done.fetch_add(1, SeqCst);
    }

    /// The number of freezes that have been carried out so far.
    #[must_use]
    pub fn ticket(&self) -> Ticket {
        Ticket(self.done.load(SeqCst))
    }

    /// Thaws every worker, and says whether it did: not if a freeze has come since the ticket was taken or was under
    /// way then. A freeze that races with it wins in the end.
    pub fn thaw(&self, ticket: Ticket) -> bool {
        self.thaw_amid(ticket, || ())
    }

    /// As [`Freezer::thaw`]; something happens at the worst moment.
    fn thaw_amid(&self, ticket: Ticket, meanwhile: impl FnOnce()) -> bool {
        let _alone = self.alone();
        let is_fresh = || self.begun.load(SeqCst) == ticket.0;
        if !is_fresh() {
            return false;
        }
        meanwhile();
        self.frozen.store(false, SeqCst);
        let thawed = self.floor.go();
        fence(SeqCst);
        if thawed && is_fresh() {
            return true;
        }
        self.frozen.store(true, SeqCst);
        self.floor.stop();
        false
    }

    /// What was last asked for.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.frozen.load(SeqCst)
    }

    /// Waits until every worker really stands still; whether that was so in time. Blocks.
    #[must_use]
    pub fn settled(&self, within: Duration) -> bool {
        self.floor.settled(within)
    }

    /// The processor time of all workers ever, in microseconds. With a control group: since they were adopted, as the
    /// kernel counts it. With signals: in steps of the kernel's clock tick (10 ms); 0 on systems that do not say.
    #[must_use]
    pub fn cpu_us(&self) -> u64 {
        self.floor.cpu_us()
    }

    /// The processes that are held.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.floor.pids()
    }

    fn alone(&self) -> MutexGuard<'_, ()> {
        self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Freezer {
    fn default() -> Self {
        Self::new()
    }
}

impl Adopted {
    /// The process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.entry.pid()
    }

    /// Kills the process, frozen or not, and takes its memory back without waiting for it to die by itself: at idle
    /// priority beside busy programs that can take many seconds. Nobody need wait for the process meanwhile. Blocks,
    /// for milliseconds as a rule, for [`RELEASE_MAX`] at most.
    pub fn end(&self) -> Ended {
        self.entry.end()
    }
}

/// How long [`Adopted::end`] waits at most.
pub const RELEASE_MAX: Duration = Duration::from_secs(10);

impl Drop for Adopted {
    fn drop(&mut self) {
        self.floor.forget(&self.entry);
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cgroup { folder } => write!(f, "freezes workers with the control group {}", folder.display()),
            Self::Signals { why } => write!(f, "stops workers with signals ({why})"),
            Self::End => f.write_str("ends workers, as this system cannot freeze them"),
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
#[path = "freezer_tests.rs"]
mod tests;
