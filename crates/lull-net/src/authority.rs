use lull_types::NodeId;
use lull_wire::{PublicKey, RELAY_NAME, identity::fingerprint};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PKCS_ED25519, PublicKeyData, SignatureAlgorithm,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use crate::{NetError, peer::dns_name};

/// The relay's certificate authority (Ed25519): it says which connection is which node's.
pub struct Authority {
    issuer: rcgen::Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

/// A relay's own certificate is made anew at each start and counts only under the pinned authority, so that it needs
/// no clock: it covers the years 2020 to 2120.
const RELAY_CERTIFICATE: (Duration, Duration) = (Duration::days(365 * 50), Duration::days(365 * 150));
/// Authorities are rotated by a new root statement, not by running out.
const AUTHORITY: Duration = Duration::days(7300);
/// Certificates start this long ago, for nodes whose clocks are behind.
const BACKDATE: Duration = Duration::hours(1);

struct RawKey<'a>(&'a PublicKey);

impl PublicKeyData for RawKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        &self.0.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ED25519
    }
}

impl Authority {
    /// A new authority for an organisation, valid from `now_s` (seconds since 1970).
    ///
    /// # Errors
    /// [`NetError::Certificate`].
    pub fn create(org: &str, now_s: u64) -> Result<Self, NetError> {
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = name(&format!("{org} Lull transport"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        params.not_before = moment(now_s)? - BACKDATE;
        params.not_after = moment(now_s)? + AUTHORITY;
        let pem = Zeroizing::new(key.serialize_pem());
        let issuer = CertifiedIssuer::self_signed(params, key)?;
        Self::from_pem(&issuer.pem(), &pem)
    }

    /// The authority's certificate and key, to be stored.
    #[must_use]
    pub fn to_pem(&self) -> (String, Zeroizing<String>) {
        let encoded = pem::encode(&pem::Pem::new("CERTIFICATE", self.certificate.to_vec()));
        (encoded, Zeroizing::new(self.key.serialize_pem()))
    }

    /// The authority that [`Self::to_pem`] stored.
    ///
    /// # Errors
    /// [`NetError::Certificate`].
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, NetError> {
        let certificate = pem::parse(certificate).map_err(|error| NetError::Certificate(error.to_string()))?;
        let certificate = CertificateDer::from(certificate.into_contents());
        let issuer = rcgen::Issuer::from_ca_cert_der(&certificate, KeyPair::from_pem(key)?)?;
        Ok(Self { issuer, certificate, key: KeyPair::from_pem(key)? })
    }

    /// SHA-256 of the certificate, as root's statement pins it.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        fingerprint(&self.certificate)
    }

    /// The certificate, DER.
    #[must_use]
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate
    }

    /// Certifies a node's transport key between two moments (seconds since 1970): a client certificate, DER.
    ///
    /// # Errors
    /// [`NetError::Certificate`].
    pub fn issue(
        &self,
        node: NodeId,
        transport: &PublicKey,
        not_before_s: u64,
        not_after_s: u64,
    ) -> Result<Vec<u8>, NetError> {
        let mut params = CertificateParams::new(vec![dns_name(node)])?;
        params.distinguished_name = name(&node.to_string());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.not_before = moment(not_before_s)? - BACKDATE;
        params.not_after = moment(not_after_s)?;
        Ok(params.signed_by(&RawKey(transport), &self.issuer)?.der().to_vec())
    }

    /// A fresh key and certificate for the relay's own end.
    pub(crate) fn relay_identity(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), NetError> {
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let mut params = CertificateParams::new(vec![RELAY_NAME.to_owned()])?;
        params.distinguished_name = name("Lull relay");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.not_before = OffsetDateTime::UNIX_EPOCH + RELAY_CERTIFICATE.0;
        params.not_after = OffsetDateTime::UNIX_EPOCH + RELAY_CERTIFICATE.1;
        let leaf = params.signed_by(&key, &self.issuer)?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        Ok((vec![leaf.der().clone(), self.certificate.clone()], key.into()))
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}

fn moment(seconds: u64) -> Result<OffsetDateTime, NetError> {
    let fault = || NetError::Certificate(format!("{seconds} is not a moment in this era"));
    let seconds = i64::try_from(seconds).map_err(|_| fault())?;
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| fault())
}
