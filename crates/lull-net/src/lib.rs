//! QUIC with mutual TLS between node and relay: who may connect, and how long that lasts.
//! It must never know what is said over a connection, nor how content is sealed.
//!
//! The relay's certificate authority vouches for *transport* only: it says which connection belongs to which node.
//! What a node is trusted with follows from its chain to root (`lull-wire::identity`).

mod authority;
mod connect;
mod error;
mod listen;
mod peer;
mod transport;

pub use authority::Authority;
pub use connect::connect;
pub use error::NetError;
pub use listen::{Listener, listen};
pub use peer::{Peer, alpn, exporter, peer};
pub use transport::{TransportIdentity, TransportKey};

/// Streams that one side may have open at once: each costs memory on an idle connection (1,024 allowed streams cost
/// 1.23 MB with quinn 0.11, 16 cost about 31 KiB).
pub const STREAMS_MAX: u32 = 16;
/// How often an idle node says that it is there. Together with the stateless reset of a restarted relay this bounds
/// how long a node can go without noticing: the promise is to be back within 5 seconds.
pub const KEEP_ALIVE: std::time::Duration = std::time::Duration::from_secs(3);
/// After this silence the other side counts as gone.
pub const IDLE_MAX: std::time::Duration = std::time::Duration::from_secs(10);
/// Bytes that may be in flight on one stream before its reader takes them: what bounds memory under back-pressure.
pub const STREAM_WINDOW_BYTES: u32 = 256 * 1024;

#[cfg(test)]
mod tests;
