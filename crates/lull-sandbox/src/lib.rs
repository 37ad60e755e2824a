//! Keeps worker processes in their place: at idle priority, frozen in an instant, ended with their memory really back.
//! It must never know what a worker computes, or why it is frozen.
//!
//! Where the system gives a control group of our own (Linux, cgroup v2, delegated), freezing is one write to an open
//! file. Elsewhere on Unix it is SIGSTOP. Windows has no documented way to suspend a process: there, to freeze is to
//! end.

mod freezer;

#[cfg(target_os = "linux")]
#[path = "linux/mod.rs"]
mod platform;

// Compiled into Linux' tests as well, so that somebody runs it.
#[cfg(test)]
#[cfg(target_os = "linux")]
mod other_unix;
#[cfg(all(unix, not(target_os = "linux")))]
#[path = "other_unix.rs"]
mod platform;

#[cfg(windows)]
#[path = "windows.rs"]
mod platform;

pub use freezer::{Adopted, Ended, Freezer, Method, RELEASE_MAX, Ticket};

/// Has the calling thread woken as quickly as an ordinary user may ask for: the shortest time slice (Linux 6.12 or
/// newer), and timers that are not put together with others. For threads that watch for their owner and do little.
/// Best effort: where the system has no such thing, nothing happens.
pub fn hurry() {
    platform::hurry();
}
