//! A node's home and the door in it: how windows, commands and the local API reach the node that runs there.
//! It must never know what a node does, only what can be asked of one.

mod api;
pub mod fault;
pub mod home;
mod remote;
mod socket;

pub use api::{Chat, NodeApi};
pub use home::{Home, HomeLock};
pub use remote::RemoteNode;
pub use socket::{Door, REPLY_BYTES_MAX, serve};
