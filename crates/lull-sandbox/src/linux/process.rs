//! One process that is held.

use std::{
    collections::BTreeSet,
    fs, io,
    os::fd::{AsFd as _, OwnedFd},
    sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec},
    io::Errno,
    process::{Pid, PidfdFlags, Signal},
};

use super::calls;
use crate::{Ended, RELEASE_MAX};

/// A process under a descriptor, which names it even when its number has gone to another.
#[derive(Debug)]
pub(crate) struct Entry {
    pid: u32,
    process: OwnedFd,
    /// When it began, in ticks since the machine's start: tells it from a later process of the same number.
    began: u64,
    /// Whether it is outside the control group, so that only signals reach it.
    pub(super) outside: bool,
    /// Whether it has been stopped by a signal.
    stopped: AtomicBool,
    /// Its processor time when last seen, in microseconds.
    cpu_us: AtomicU64,
}

/// The lowest priority among ordinary threads.
const NICE_LOWEST: i32 = 19;
/// How often the threads of a process are listed again because new ones have appeared.
const LISTINGS_MAX: usize = 16;
/// How long to wait before asking again for memory that the kernel was just busy with.
const RETRY: Duration = Duration::from_millis(1);

impl Entry {
    pub(super) fn open(pid: u32) -> io::Result<Self> {
        let name = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
        let process = rustix::process::pidfd_open(name, PidfdFlags::empty())?;
        let Stat { began, .. } = Stat::read(pid)?;
        let (stopped, cpu_us) = (AtomicBool::new(false), AtomicU64::new(0));
        Ok(Self { pid, process, began, outside: true, stopped, cpu_us })
    }

    pub(crate) const fn pid(&self) -> u32 {
        self.pid
    }

    /// Lowers the priority of every thread. Threads that are started later inherit it.
    pub(crate) fn lower(&self) -> io::Result<()> {
        self.each_thread(|thread| {
            calls::set_idle(thread)?;
            calls::set_io_idle(thread)?;
            // Counts if something takes the thread out of the idle class.
            Ok(rustix::process::setpriority_process(Pid::from_raw(thread), NICE_LOWEST)?)
        })
    }

    /// Stops it by a signal.
    pub(super) fn stop(&self) {
        self.stopped.store(true, SeqCst);
        // It fails only where the process has ended.
        let _ = rustix::process::pidfd_send_signal(&self.process, Signal::STOP);
    }

    /// Has it go on if it was stopped by a signal.
    pub(super) fn go(&self) {
        if self.stopped.swap(false, SeqCst) {
            let _ = rustix::process::pidfd_send_signal(&self.process, Signal::CONT);
        }
    }

    /// Whether no thread of it can run.
    pub(super) fn is_still(&self) -> bool {
        let Ok(threads) = threads(self.pid) else { return true };
        let stands = |thread: &i32| match fs::read_to_string(format!("/proc/{}/task/{thread}/stat", self.pid)) {
            Ok(text) => matches!(state(&text), Some('T' | 't' | 'Z' | 'X')),
            Err(_) => true,
        };
        threads.iter().all(stands) || self.has_exited()
    }

    /// Its processor time, in microseconds; when it is gone, what it was last known to be.
    pub(super) fn cpu_us(&self) -> u64 {
        if let Ok(stat) = Stat::read(self.pid)
            && stat.began == self.began
        {
            self.cpu_us.fetch_max(stat.cpu_us(), SeqCst);
        }
        self.cpu_us.load(SeqCst)
    }

    pub(crate) fn end(&self) -> Ended {
        let start = Instant::now();
        self.cpu_us();
        let killed = rustix::process::pidfd_send_signal(&self.process, Signal::KILL);
        // At once: once its own threads have begun to take it apart, at their idle priority, nobody else can.
        let _ = calls::release_memory(self.process.as_fd());
        // Only for the last steps of its dying, and only where that is allowed: its memory does not wait for it.
        let _ = self
            .each_thread(|thread| calls::set_ordinary(thread, 0).or_else(|_| calls::set_ordinary(thread, NICE_LOWEST)));
        let released = killed == Err(Errno::SRCH) || self.release(start + RELEASE_MAX);
        self.cpu_us();
        Ended { took: start.elapsed(), released }
    }

    fn release(&self, deadline: Instant) -> bool {
        loop {
            match calls::release_memory(self.process.as_fd()) {
                Ok(()) => return true,
                // Nothing left to take.
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return true,
                Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A kernel before 5.15, or memory shared with a living process: it must die by itself.
                Err(_) => return self.wait(deadline.saturating_duration_since(Instant::now())),
            }
            if self.wait(RETRY) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
        }
    }

    fn has_exited(&self) -> bool {
        self.wait(Duration::ZERO)
    }

    /// Waits until the process has ended, whether or not anybody has waited for it; whether it has.
    fn wait(&self, at_most: Duration) -> bool {
        let mut polled = [PollFd::new(&self.process, PollFlags::IN)];
        let at_most = Timespec::try_from(at_most).ok();
        rustix::event::poll(&mut polled, at_most.as_ref()).is_ok_and(|ready| ready > 0)
    }

    /// Does something to every thread until no new ones appear. Threads that end meanwhile are no error.
    fn each_thread(&self, apply: impl Fn(i32) -> io::Result<()>) -> io::Result<()> {
        let mut known = BTreeSet::new();
        for _ in 0..LISTINGS_MAX {
            let before = known.len();
            for thread in threads(self.pid)? {
                if known.insert(thread)
                    && let Err(error) = apply(thread)
                    && error.raw_os_error() != Some(libc::ESRCH)
                {
                    return Err(error);
                }
            }
            if known.len() == before {
                break;
            }
        }
        Ok(())
    }
}

fn threads(pid: u32) -> io::Result<Vec<i32>> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))?;
    Ok(tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok()).collect())
}

/// What of `/proc/PID/stat` matters here.
struct Stat {
    /// Processor time in ticks.
    ticks: u64,
    began: u64,
}

impl Stat {
    fn read(pid: u32) -> io::Result<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        Self::parse(&text).ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat cannot be understood")))
    }

    fn parse(text: &str) -> Option<Self> {
        // The name in brackets may hold anything; what follows it begins with the third field.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        Some(Self { ticks: number(14)? + number(15)?, began: number(22)? })
    }

    fn cpu_us(&self) -> u64 {
        self.ticks * 1_000_000 / rustix::param::clock_ticks_per_second().max(1)
    }
}

fn state(stat: &str) -> Option<char> {
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_full_of_brackets_hides_nothing() {
        let text = "42 (a) R 9 (b)) T 1 2 3 4 5 6 7 8 9 10 7 5 0 0 20 0 3 0 987 0 0";
        let stat = Stat::parse(text).unwrap();
        assert_eq!((stat.ticks, stat.began, state(text)), (12, 987, Some('T')));
    }
}
