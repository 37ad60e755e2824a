use lull_net::NetError;
use lull_types::{Code, Fault};

/// A part of the node that is no longer there to answer.
pub(crate) fn stopping() -> Fault {
    Fault::new(Code::Cancelled, "this node is stopping; start it again with `lull node run`")
}

/// A connection that cannot be had.
pub(crate) fn net(error: &NetError) -> Fault {
    let (code, advice) = match error {
        NetError::Address { .. } => (Code::RelayUnreachable, "check the network and the name"),
        NetError::Connect { .. } | NetError::Bind { .. } => (Code::RelayUnreachable, "check the network and the relay"),
        NetError::CertificateRefused { .. } => (Code::Expired, "if this stays, ask IT for a new token"),
        NetError::NotTheRelay { .. } => (Code::BadSeal, "tell IT: someone may be listening in its place"),
        NetError::Certificate(_) | NetError::Exporter(_) => (Code::Internal, "if this stays, enrol again"),
    };
    Fault::new(code, format!("{error}; {advice}"))
}

/// Something that waits for a disk, away from everything that must not.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let broken = |_| Fault::new(Code::Internal, "this broke off inside Lull; try again, and tell whoever builds it");
    tokio::task::spawn_blocking(work).await.map_err(broken)?
}
