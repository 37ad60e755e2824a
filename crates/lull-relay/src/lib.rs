//! The relay: enrols nodes, matches jobs to lenders, signs grants, splices sealed streams and keeps the books.
//! It must never know a prompt, an answer, a key that could open one, or the organisation's root key.
//!
//! One actor owns the scheduler's state; connections, splices, the ledger and the admin address are tasks around it
//! that talk to it through one bounded queue. Nothing on the way of a token passes the actor.

mod actor;
pub mod admin;
mod clock;
mod close;
mod connection;
mod convert;
mod enrol;
mod error;
mod fabric;
mod files;
mod gate;
mod grant;
mod home;
mod http;
pub mod ledger;
mod lock;
mod login;
mod metrics;
mod orders;
mod policy;
mod recorder;
mod relay;
mod shared;
mod splice;

pub use error::RelayError;
pub use fabric::Fabric;
pub use home::init;
pub use relay::{DRAIN_MAX_MS, Relay, RelayOptions};
