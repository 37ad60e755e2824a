//! Whether this machine lends: from the sensors to the workers.

mod brake;
mod clocks;
mod herd;
mod rules;
mod sensors;
mod task;
mod wishes;

pub(crate) use herd::Herd;
pub use rules::Timing;
pub use sensors::Senses;
pub(crate) use sensors::Sensors;
pub(crate) use task::{Command, INBOX_MAX, Listeners, Setup, Task, ask, starting};
pub(crate) use wishes::{RulesNow, Wishes};
