use hpke::{Deserializable, Kem as _, Serializable, kem::X25519HkdfSha256 as Kem};
use lull_types::NodeId;
use lull_wire::{FrameError, SecretKey, Signed, identity::SealingCertificate};

pub(crate) type Private = <Kem as hpke::Kem>::PrivateKey;
pub(crate) type Public = <Kem as hpke::Kem>::PublicKey;

/// The key to which jobs for this machine are sealed, from one start to the next. It is never stored.
pub struct SealingKey {
    pub(crate) private: Private,
    public: [u8; 32],
}

impl SealingKey {
    /// A new key from the system's randomness.
    #[must_use]
    pub fn generate() -> Self {
        let (private, public) = Kem::gen_keypair();
        Self { private, public: bytes(&public) }
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> [u8; 32] {
        self.public
    }

    /// The device's word on this key.
    ///
    /// # Errors
    /// None in practice: the document has a fixed size.
    pub fn certificate(
        &self,
        node: NodeId,
        device: &SecretKey,
        now_s: u64,
    ) -> Result<Signed<SealingCertificate>, FrameError> {
        Signed::sign(&SealingCertificate { node, key: self.public, created_s: now_s }, device)
    }
}

/// The submitter's key for one run of one job.
pub struct EphemeralKey {
    pub(crate) private: Private,
    pub(crate) key: Public,
    public: [u8; 32],
}

impl EphemeralKey {
    /// A new key from the system's randomness.
    #[must_use]
    pub fn generate() -> Self {
        let (private, key) = Kem::gen_keypair();
        let public = bytes(&key);
        Self { private, key, public }
    }

    /// The public half, as it goes into the grant.
    #[must_use]
    pub const fn public(&self) -> [u8; 32] {
        self.public
    }
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealingKey")
    }
}

impl std::fmt::Debug for EphemeralKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EphemeralKey")
    }
}

fn bytes(key: &Public) -> [u8; 32] {
    key.to_bytes().into()
}

pub(crate) fn public(bytes: &[u8; 32]) -> Result<Public, crate::SealError> {
    Public::from_bytes(bytes).map_err(|_| crate::SealError::Broken)
}
