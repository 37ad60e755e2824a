//! An organisation on one machine, made of real processes: what the demo shows and the black-box tests examine.
//! It must never reach into a process: only commands, sockets, files and signals.

mod ask;
mod faq;
mod org;
mod process;
mod scan;
mod wiretap;

pub use ask::{Answer, ask, long_question, question};
pub use faq::faq;
pub use org::{Enrolled, Node, NodeRole, Org, Relay, free_address};
pub use process::{Process, Programs, children, signal};
pub use scan::{files_hold, memory_holds};
pub use wiretap::Wiretap;
