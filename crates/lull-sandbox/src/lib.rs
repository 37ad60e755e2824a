//! Keeps worker processes in their place: confined to their model, at idle priority, frozen in an instant, ended with
//! their memory really back. It must never know what a worker computes, or why it is frozen.
//!
//! Where the system gives a control group of our own (Linux, cgroup v2, delegated), freezing is one write to an open
//! file. Elsewhere on Unix it is SIGSTOP. Windows has no documented way to suspend a process: there, to freeze is to
//! end.
//!
//! A worker confines itself, with [`enter`], before it reads the first byte of a model: then it need never start a
//! program again, and may be denied it.

mod available;
mod confine;
mod dumps;
#[cfg(target_os = "linux")]
pub mod escape;
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

#[cfg(target_os = "linux")]
use platform::confine as walls;
#[cfg(target_os = "macos")]
#[path = "macos_walls.rs"]
mod walls;
#[cfg(windows)]
#[path = "windows_walls.rs"]
mod walls;
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
#[path = "no_walls.rs"]
mod walls;

pub use available::{Available, report, try_all};
pub use confine::{Confine, Confined, Profile, enter};
pub use dumps::leave_no_dump;
pub use freezer::{Adopted, Ended, Freezer, Method, RELEASE_MAX, Ticket};
pub use lull_types::{Layer, Layers, Shortfall};

/// Has the calling thread woken as quickly as an ordinary user may ask for: the shortest time slice (Linux 6.12 or
/// newer), and timers that are not put together with others. For threads that watch for their owner and do little.
/// Best effort: where the system has no such thing, nothing happens.
pub fn hurry() {
    platform::hurry();
}
