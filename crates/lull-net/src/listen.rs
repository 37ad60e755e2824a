use std::{net::SocketAddr, sync::Arc, time::Duration};

use lull_wire::{ALPN_ENROL, ALPN_NODE};
use quinn::{EndpointConfig, VarInt, crypto::rustls::QuicServerConfig};
use quinn_proto::HashedConnectionIdGenerator;
use rustls::{RootCertStore, server::WebPkiClientVerifier};

use crate::{Authority, IDLE_MAX, NetError, STREAM_WINDOW_BYTES, STREAMS_MAX};

/// What the relay's end needs beside its authority.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Where to listen.
    pub address: SocketAddr,
    /// A secret that survives restarts: with it a restarted relay can tell nodes at once that their old connection is
    /// gone, instead of leaving them to a time-out.
    pub reset_key: [u8; 64],
}

/// Opens the relay's end. Client certificates are checked when shown, and it is up to the caller to demand one for
/// everything but enrolment.
///
/// # Errors
/// [`NetError::Bind`] or [`NetError::Certificate`].
pub fn listen(listener: &Listener, authority: &Authority) -> Result<quinn::Endpoint, NetError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate_der().to_vec().into())?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()
        .map_err(|error| NetError::Certificate(error.to_string()))?;
    let (chain, key) = authority.relay_identity()?;
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    tls.alpn_protocols = vec![ALPN_NODE.to_vec(), ALPN_ENROL.to_vec()];
    // A resumed session would skip the certificate check; nodes connect rarely enough to do without.
    tls.send_tls13_tickets = 0;
    let tls = QuicServerConfig::try_from(tls).map_err(|error| NetError::Certificate(error.to_string()))?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(tls));
    config.transport_config(Arc::new(transport()));
    let bind = |source| NetError::Bind { address: listener.address, source };
    let socket = std::net::UdpSocket::bind(listener.address).map_err(bind)?;
    let runtime = Arc::new(quinn::TokioRuntime);
    quinn::Endpoint::new(endpoint_config(&listener.reset_key), Some(config), socket, runtime).map_err(bind)
}

/// A relay answers packets of connections it does not know with a reset, but only if it recognises their ids as its
/// own: so the ids' key has to survive a restart as well.
fn endpoint_config(secret: &[u8; 64]) -> EndpointConfig {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    let tag = ring::hmac::sign(&key, b"lull connection ids");
    let id_key = tag.as_ref().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let mut config = EndpointConfig::new(Arc::new(key));
    // A restarted relay hears from all its nodes within moments, and each needs its reset at once. A reset is smaller
    // than what it answers, so nothing is amplified.
    config.min_reset_interval(Duration::ZERO);
    config.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(id_key)));
    config
}

/// The bounds that both ends share.
pub(crate) fn transport() -> quinn::TransportConfig {
    let mut transport = quinn::TransportConfig::default();
    transport.max_concurrent_bidi_streams(STREAMS_MAX.into());
    transport.max_concurrent_uni_streams(0_u8.into());
    transport.stream_receive_window(STREAM_WINDOW_BYTES.into());
    transport.send_window(u64::from(STREAM_WINDOW_BYTES) * u64::from(STREAMS_MAX));
    transport.datagram_receive_buffer_size(None);
    let idle_ms = u32::try_from(IDLE_MAX.as_millis()).unwrap_or(u32::MAX);
    transport.max_idle_timeout(Some(VarInt::from_u32(idle_ms).into()));
    transport
}
