//! What a machine offers, found out by trying.

use std::{io, path::Path};

use lull_types::{Layers, Shortfall};
use serde::{Deserialize, Serialize};

use crate::{Confine, enter};

/// What a worker would be confined by on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Available {
    /// The layers that were put up.
    pub layers: Layers,
    /// Those that could not be.
    pub shortfalls: Vec<Shortfall>,
}

/// Confines the calling process, for good, as a worker would be, with nothing to read, and says what came of it. For a
/// program that does nothing else and writes the answer to a pipe or a terminal: to files it may not write any more.
///
/// # Errors
/// As [`enter`] and [`crate::Confined::seal`].
pub fn try_all(folder: &Path) -> io::Result<Available> {
    let mut confined = enter(&Confine { model: folder.into(), scratch: folder.into(), ..Confine::default() })?;
    confined.seal()?;
    Ok(Available { layers: confined.layers().clone(), shortfalls: confined.shortfalls().to_vec() })
}

/// The answer of [`try_all`] for the folder of temporary files, as one line of JSON.
///
/// # Errors
/// As [`try_all`].
pub fn report() -> io::Result<String> {
    let available = try_all(&std::env::temp_dir())?;
    serde_json::to_string(&available).map_err(io::Error::other)
}
