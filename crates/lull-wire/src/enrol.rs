//! Joining, and renewing a transport certificate: the one conversation that needs no certificate.

use lull_types::Fault;
use serde::{Deserialize, Serialize};

use crate::{PublicKey, Signed, identity::DeviceChain, identity::RelayStatement};

/// The longest message of this conversation, in bytes.
pub const BYTES_MAX: usize = 64 * 1024;

/// What a device signs to ask for a transport certificate: its proof that it holds the device key, for this
/// connection only.
#[must_use]
pub fn proof(exporter: &[u8; 32], transport: &PublicKey) -> Vec<u8> {
    [b"lull transport proof 1\0".as_slice(), exporter, &transport.0].concat()
}

/// The label under which both ends of a connection derive the bytes that [`proof`] binds to.
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-lull-enrol-1";

/// A device asks for a transport certificate: for the first time, which uses its invitation up, or again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolRequest {
    /// The device's chain to root.
    pub chain: DeviceChain,
    /// The new transport key (Ed25519) to certify.
    pub transport: PublicKey,
    /// The device key's signature over [`proof`].
    #[serde(with = "serde_bytes")]
    pub proof: [u8; 64],
}

/// The relay's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EnrolResponse {
    /// A transport certificate.
    Certificate {
        /// The node's certificate, DER.
        #[serde(with = "serde_bytes")]
        certificate: Vec<u8>,
        /// The relay's certificate authority, DER.
        #[serde(with = "serde_bytes")]
        authority: Vec<u8>,
        /// When the certificate ends, in seconds since 1970.
        not_after_s: u64,
        /// Root's word on this relay.
        statement: Signed<RelayStatement>,
    },
    /// No.
    Refused(Fault),
}
