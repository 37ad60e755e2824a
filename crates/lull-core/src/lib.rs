//! The pure machines: whether a machine lends, a job's life at its submitter, and the relay's scheduler.
//! It must never know a clock, a socket, a file, a thread or the order of a hash map: `now` and seeds are arguments.

pub mod integrity;
pub mod job;
pub mod lending;
pub mod scheduler;
mod time;

pub use time::Millis;
