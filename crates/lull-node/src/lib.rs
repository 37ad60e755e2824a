//! The node: lends this machine's workers to the pool and submits its people's jobs to it; opens the door.
//! It must never know HTTP, a window or a command line.

mod adding;
mod agreed;
mod attempt;
mod backoff;
mod booking;
mod checks;
mod clock;
mod confinement;
mod doctor;
mod enrol;
mod fault;
mod hardware;
mod herald;
mod host;
mod identity;
mod kept;
mod keys;
mod lend;
mod lender;
mod lending;
mod link;
mod login;
mod machine;
mod node;
mod orders;
mod own;
mod prefs;
mod programs;
mod ran;
mod room;
mod rulebook;
mod rules_view;
mod session;
mod shelf;
mod speed;
mod stance;
mod submitter;
mod supervise;
mod trust;
mod turns;
mod used;
mod validate;
mod views;

pub use agreed::{AgreedFiles, Paused};
pub use doctor::examine;
pub use enrol::{Enrolled, enroll};
pub use host::Host;
pub use keys::Keys;
pub use lending::{Senses, Timing};
pub use lull_door::{Chat, Door, Home, HomeLock, NodeApi, RemoteNode, serve};
pub use lull_types::KeyView;
pub use node::{Node, NodeOptions};
pub use ran::{RAN_MAX, RAN_REPLY_MAX, RanLog};
pub use room::check_room;

/// Lull's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
