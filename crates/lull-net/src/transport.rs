use lull_wire::PublicKey;
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::NetError;

/// A node's key for its connections. A new one is made for each certificate.
pub struct TransportKey(KeyPair);

impl TransportKey {
    /// A new key.
    ///
    /// # Errors
    /// [`NetError::Certificate`].
    pub fn generate() -> Result<Self, NetError> {
        Ok(Self(KeyPair::generate_for(&PKCS_ED25519)?))
    }

    /// The public half.
    ///
    /// # Errors
    /// [`NetError::Certificate`] when the stored key is not Ed25519.
    pub fn public(&self) -> Result<PublicKey, NetError> {
        let bytes = self.0.der_bytes().try_into();
        bytes.map(PublicKey).map_err(|_| NetError::Certificate("the transport key is not Ed25519".into()))
    }

    /// The key as PEM, to be stored with care.
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.serialize_pem())
    }

    /// The key that [`Self::to_pem`] stored.
    ///
    /// # Errors
    /// [`NetError::Certificate`].
    pub fn from_pem(pem: &str) -> Result<Self, NetError> {
        Ok(Self(KeyPair::from_pem(pem)?))
    }

    pub(crate) fn to_rustls(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.0.serialize_der()).into()
    }
}

impl std::fmt::Debug for TransportKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TransportKey")
    }
}

/// What a node shows to its relay.
#[derive(Debug)]
pub struct TransportIdentity {
    /// The key.
    pub key: TransportKey,
    /// The relay's certificate over it, DER.
    pub certificate: Vec<u8>,
    /// The relay's certificate authority, DER.
    pub authority: Vec<u8>,
    /// When the certificate ends, in seconds since 1970.
    pub not_after_s: u64,
}

impl TransportIdentity {
    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.clone().into(), self.authority.clone().into()]
    }
}
