use std::{net::SocketAddr, sync::Arc};

use lull_wire::{ALPN_ENROL, ALPN_NODE, RELAY_NAME, identity::fingerprint};
use quinn::{ConnectionError, crypto::rustls::QuicClientConfig};
use rustls::{
    CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use crate::{KEEP_ALIVE, NetError, TransportIdentity, listen::transport};

/// Connects to the relay whose authority root has pinned: as a node with its identity, or without one to enrol.
///
/// # Errors
/// [`NetError::Address`], [`NetError::Connect`], [`NetError::CertificateRefused`], [`NetError::NotTheRelay`].
pub async fn connect(
    relay: &str,
    ca_sha256: [u8; 32],
    identity: Option<&TransportIdentity>,
) -> Result<quinn::Connection, NetError> {
    let address = resolve(relay).await?;
    let config = client_config(ca_sha256, identity)?;
    let unspecified: SocketAddr = if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let mut endpoint =
        quinn::Endpoint::client(unspecified).map_err(|source| NetError::Bind { address: unspecified, source })?;
    endpoint.set_default_client_config(config);
    let connecting = endpoint.connect(address, RELAY_NAME).map_err(|error| unreachable(relay, &error))?;
    connecting.await.map_err(|error| explain(relay, &error))
}

async fn resolve(relay: &str) -> Result<SocketAddr, NetError> {
    let fault = |reason: String| NetError::Address { relay: relay.into(), reason };
    let mut found = tokio::net::lookup_host(relay).await.map_err(|error| fault(error.to_string()))?;
    found.next().ok_or_else(|| fault("no address".into()))
}

fn unreachable(relay: &str, reason: &dyn std::fmt::Display) -> NetError {
    NetError::Connect { relay: relay.into(), reason: reason.to_string() }
}

/// TLS alerts 42 to 49 and 116 speak about certificates (RFC 8446, section 6.2); QUIC adds 0x100.
fn explain(relay: &str, error: &ConnectionError) -> NetError {
    let (relay, reason) = (relay.to_owned(), error.to_string());
    let certificate_alert = |code: u64| matches!(code, 0x12a..=0x131 | 0x174);
    match error {
        ConnectionError::TransportError(local) if certificate_alert(u64::from(local.code)) => {
            NetError::NotTheRelay { relay, reason }
        }
        ConnectionError::ConnectionClosed(close) if certificate_alert(u64::from(close.error_code)) => {
            NetError::CertificateRefused { relay, reason }
        }
        _ => NetError::Connect { relay, reason },
    }
}

fn client_config(ca_sha256: [u8; 32], identity: Option<&TransportIdentity>) -> Result<quinn::ClientConfig, NetError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let pinned = PinnedAuthority { ca_sha256, provider: provider.clone() };
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pinned));
    let mut tls = match identity {
        Some(identity) => builder.with_client_auth_cert(identity.chain(), identity.key.to_rustls())?,
        None => builder.with_no_client_auth(),
    };
    tls.alpn_protocols = vec![if identity.is_some() { ALPN_NODE } else { ALPN_ENROL }.to_vec()];
    tls.resumption = rustls::client::Resumption::disabled();
    let tls = QuicClientConfig::try_from(tls).map_err(|error| NetError::Certificate(error.to_string()))?;
    let mut config = quinn::ClientConfig::new(Arc::new(tls));
    let mut transport = transport();
    transport.keep_alive_interval(Some(KEEP_ALIVE));
    config.transport_config(Arc::new(transport));
    Ok(config)
}

/// Accepts exactly the chains that lead to the authority in root's statement. Names and public authorities do not
/// count.
#[derive(Debug)]
struct PinnedAuthority {
    ca_sha256: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedAuthority {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let authority = intermediates
            .iter()
            .find(|certificate| fingerprint(certificate) == self.ca_sha256)
            .ok_or(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone())
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?
            .verify_server_cert(leaf, &[], name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("only TLS 1.3 is spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
