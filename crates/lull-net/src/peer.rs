use lull_types::NodeId;
use lull_wire::{enrol::EXPORTER_LABEL, identity::fingerprint};
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, GeneralName, ParsedExtension, X509Certificate};

use crate::NetError;

const NODE_DOMAIN: &str = ".node.lull.internal";

pub(crate) fn dns_name(node: NodeId) -> String {
    format!("{node}{NODE_DOMAIN}")
}

/// Who is at the other end, by a certificate that TLS has already checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The node.
    pub node: NodeId,
    /// SHA-256 of its certificate.
    pub certificate: [u8; 32],
    /// When its certificate ends, in seconds since 1970.
    pub not_after_s: u64,
}

/// The node at the other end, if it showed a certificate.
#[must_use]
pub fn peer(connection: &quinn::Connection) -> Option<Peer> {
    let chain = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    let leaf = chain.first()?;
    let (_, parsed) = X509Certificate::from_der(leaf).ok()?;
    let node = parsed.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => names.general_names.iter().find_map(|name| match name {
            GeneralName::DNSName(name) => name.strip_suffix(NODE_DOMAIN)?.parse().ok(),
            _ => None,
        }),
        _ => None,
    })?;
    let not_after_s = u64::try_from(parsed.validity().not_after.timestamp()).ok()?;
    Some(Peer { node, certificate: fingerprint(leaf), not_after_s })
}

/// The protocol that both ends agreed on.
#[must_use]
pub fn alpn(connection: &quinn::Connection) -> Option<Vec<u8>> {
    connection.handshake_data()?.downcast::<quinn::crypto::rustls::HandshakeData>().ok()?.protocol
}

/// Bytes that only the two ends of this connection know, for proofs that count here and nowhere else.
///
/// # Errors
/// [`NetError::Exporter`] before the handshake is over.
pub fn exporter(connection: &quinn::Connection) -> Result<[u8; 32], NetError> {
    let mut bytes = [0; 32];
    connection
        .export_keying_material(&mut bytes, EXPORTER_LABEL, &[])
        .map_err(|error| NetError::Exporter(format!("{error:?}")))?;
    Ok(bytes)
}
