//! Why the relay closes a connection, as QUIC's application error code.

use quinn::VarInt;

/// All is said.
pub(crate) const DONE: VarInt = VarInt::from_u32(0);
/// The other side broke the protocol.
pub(crate) const PROTOCOL: VarInt = VarInt::from_u32(1);
/// A newer connection of the same node took over.
pub(crate) const REPLACED: VarInt = VarInt::from_u32(2);
/// The node does not read what it is sent.
pub(crate) const TOO_SLOW: VarInt = VarInt::from_u32(3);
/// The relay shuts down.
pub(crate) const DRAINING: VarInt = VarInt::from_u32(4);
/// No certificate, or one that does not count here.
pub(crate) const NOT_ALLOWED: VarInt = VarInt::from_u32(5);
