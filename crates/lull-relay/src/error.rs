use std::path::PathBuf;

/// Why the relay, or a command about it, cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// `init` found something there.
    #[error("{0} exists already: choose another folder, or remove it if you are sure that no node needs it")]
    Exists(PathBuf),
    /// A file or folder is missing.
    #[error("{path} is missing: {hint}")]
    Missing {
        /// What is missing.
        path: PathBuf,
        /// What to do.
        hint: &'static str,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
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
    Net(#[from] lull_net::NetError),
    /// The admin address cannot be opened.
    #[error("the admin address {address} cannot be opened: {source}")]
    Admin {
        /// Which.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A running relay was told something and did not do it.
    #[error("the running relay was not reached: {0}. The change is in its database and counts from its next start")]
    NotReached(String),
    /// Two parts of the relay's folder do not belong together.
    #[error("{0}")]
    Inconsistent(String),
}
