/// Why a connection, a key or a certificate cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The relay's name does not resolve.
    #[error("{relay} is not an address that can be found: {reason}")]
    Address {
        /// What was asked for.
        relay: String,
        /// What the resolver said.
        reason: String,
    },
    /// The port cannot be opened.
    #[error("{address} cannot be opened: {source}")]
    Bind {
        /// Where.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The other side does not answer or does not let us in.
    #[error("{relay} cannot be reached: {reason}")]
    Connect {
        /// Whom.
        relay: String,
        /// Why.
        reason: String,
    },
    /// The other side's TLS stack refused our certificate: over, foreign or missing.
    #[error("{relay} does not accept this machine's certificate: {reason}")]
    CertificateRefused {
        /// Whom.
        relay: String,
        /// Why.
        reason: String,
    },
    /// The other side is not the relay that root vouched for.
    #[error("what answers at {relay} is not this organisation's relay: {reason}")]
    NotTheRelay {
        /// Whom.
        relay: String,
        /// Why.
        reason: String,
    },
    /// A key or certificate that cannot be read or made.
    #[error("a key or certificate is unusable: {0}")]
    Certificate(String),
    /// The connection has no keying material to bind to.
    #[error("the connection cannot be bound to: {0}")]
    Exporter(String),
}

impl From<rcgen::Error> for NetError {
    fn from(error: rcgen::Error) -> Self {
        Self::Certificate(error.to_string())
    }
}

impl From<rustls::Error> for NetError {
    fn from(error: rustls::Error) -> Self {
        Self::Certificate(error.to_string())
    }
}
