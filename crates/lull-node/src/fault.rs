use std::{io, path::Path};

use lull_net::NetError;
use lull_types::{Code, Fault};

/// A file that could not be read or written.
pub(crate) fn storage(what: &str, path: &Path, error: &io::Error) -> Fault {
    Fault::new(
        Code::Storage,
        format!("cannot {what} {}: {error}; check the disk and who may write there", path.display()),
    )
}

/// A file whose content is not what belongs there.
pub(crate) fn damaged(path: &Path, why: &str) -> Fault {
    let path = path.display();
    Fault::new(
        Code::Storage,
        format!("{path} is damaged ({why}); ask IT for a token and enrol again with `lull node enroll TOKEN --force`"),
    )
}

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
