use std::path::Path;

use lull_types::Fault;

/// The right to be the one node of this machine: here only that of the home is kept.
#[derive(Debug)]
pub(crate) struct MachineLock;

#[expect(clippy::unnecessary_wraps, reason = "as on Linux")]
pub(crate) fn lock() -> Result<MachineLock, Fault> {
    Ok(MachineLock)
}

/// Where IT places an invitation: not decided on this system yet.
pub(crate) fn invitation() -> Option<&'static Path> {
    None
}
