use std::path::PathBuf;

use lull_net::NetError;
use lull_types::Code;

/// Why the relay, or a command about it, cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// `init` found something there.
    #[error("{0} exists already: choose another folder, or remove it if you are sure that no node needs it")]
    Exists(PathBuf),
    /// `init` was given a folder that others may write to.
    #[error("{0} may be changed by others than its owner: run `chmod go-w` on it, or choose another folder")]
    Exposed(PathBuf),
    /// A second relay was started.
    #[error("another relay runs from {0}: stop that one first, or give this one a folder of its own")]
    Running(PathBuf),
    /// A file or folder is missing.
    #[error("{path} is missing: {hint}")]
    Missing {
        /// What is missing.
        path: PathBuf,
        /// What to do.
        hint: &'static str,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}: check the disk and who may write there")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file holds something else.
    #[error("{path} is damaged ({detail}): restore it from a backup")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// What was asked for makes no sense.
    #[error("{0}")]
    BadRequest(String),
    /// A node was named that nobody knows, or that could be several.
    #[error("{0}")]
    NoSuchNode(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] lull_store::StoreError),
    /// The ledger could not read or write.
    #[error(transparent)]
    Ledger(#[from] crate::ledger::LedgerError),
    /// Keys, certificates or the port.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The admin address cannot be opened.
    #[error("the admin address {address} cannot be opened: {source}")]
    Admin {
        /// Which.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A running relay was told something and did not do it.
    #[error(
        "the running relay was not reached: {0}; the change is in its database, where it sees it within seconds or at \
         its next start: look at its log"
    )]
    NotReached(String),
    /// Two parts of the relay's folder do not belong together.
    #[error("{0}")]
    Inconsistent(String),
}

impl RelayError {
    /// What programs branch on.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Exists(_)
            | Self::Exposed(_)
            | Self::Running(_)
            | Self::BadRequest(_)
            | Self::NoSuchNode(_)
            | Self::Admin { .. }
            | Self::Net(NetError::Bind { .. }) => Code::BadRequest,
            Self::Missing { .. }
            | Self::Io { .. }
            | Self::Damaged { .. }
            | Self::Store(_)
            | Self::Ledger(_)
            | Self::Inconsistent(_) => Code::Storage,
            Self::Net(_) => Code::Internal,
            Self::NotReached(_) => Code::RelayUnreachable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_a_code_and_says_what_to_do() {
        let io = || std::io::Error::from(std::io::ErrorKind::StorageFull);
        let error = RelayError::Io { path: "a".into(), source: io() };
        assert_eq!(error.code(), Code::Storage);
        assert!(error.to_string().ends_with(": check the disk and who may write there"), "{error}");
        let address = ([127, 0, 0, 1], 1).into();
        let bad = [RelayError::Exists("a".into()), RelayError::Admin { address, source: io() }];
        assert!(bad.iter().all(|error| error.code() == Code::BadRequest));
        assert_eq!(RelayError::NotReached(String::new()).code(), Code::RelayUnreachable);
        assert_eq!(RelayError::Net(NetError::Exporter(String::new())).code(), Code::Internal);
    }
}
