//! The node: lends this machine's workers to the pool and submits its people's jobs to it; opens the door.
//! It must never know HTTP, a window or a command line.

mod attempt;
mod backoff;
mod booking;
mod clock;
mod door;
mod enrol;
mod fault;
mod home;
mod identity;
mod keys;
mod lend;
mod lender;
mod link;
mod node;
mod remote;
mod session;
mod shelf;
mod socket;
mod speed;
mod submitter;
mod supervise;
mod trust;
mod turns;
mod validate;
mod views;

pub use door::{Chat, NodeApi};
pub use enrol::{Enrolled, enroll};
pub use home::{Home, HomeLock};
pub use keys::{KeyView, Keys};
pub use node::{Node, NodeOptions};
pub use remote::RemoteNode;
pub use socket::{Door, serve};

/// Lull's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
