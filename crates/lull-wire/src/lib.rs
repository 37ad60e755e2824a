//! The messages and framing of every boundary between machines, and the signed documents that travel in them.
//! It must never know a socket, a clock, a file or how content is sealed.

pub mod control;
pub mod enrol;
pub mod frame;
pub mod identity;
pub mod job;
mod keys;
pub mod policy;
mod signed;
mod token;

pub use frame::FrameError;
pub use identity::login_nonce;
pub use keys::{PublicKey, SecretKey, random};
pub use signed::{BadSignature, Document, Signed};
pub use token::{Token, TokenError};

/// The protocol spoken after the handshake by enrolled nodes, as TLS ALPN.
pub const ALPN_NODE: &[u8] = b"lull/1";
/// The protocol for joining and for renewing a certificate, as TLS ALPN: the only one open without a certificate.
pub const ALPN_ENROL: &[u8] = b"lull-enrol/1";
/// The name in the relay's TLS certificate. What counts is the pinned certificate authority, not this name.
pub const RELAY_NAME: &str = "relay.lull.internal";
