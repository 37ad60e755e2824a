//! The seam to the sandbox: what a node asks of it, and what a worker has of it. Who confines, and how, is not known here.

use std::path::{Path, PathBuf};

use lull_types::{Layers, Shortfall, Tier};
use serde::{Deserialize, Serialize};

/// What a worker is to be confined by, said by its node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confine {
    /// The folder of the model, which it may read.
    pub model: PathBuf,
    /// An empty folder that it may use up.
    pub scratch: PathBuf,
    /// The most memory for data, in bytes.
    pub memory_max: Option<u64>,
    /// Layers that are not to be put up: for machines on which one of them is known to harm, and for tests.
    pub skip: Layers,
}

/// What a worker process is confined by. Made before it reads the first byte of a model.
pub trait Confined {
    /// Where the model's folder is now.
    fn model(&self) -> &Path;

    /// The layers that are in force.
    fn layers(&self) -> Layers;

    /// Those that could not be put up.
    fn shortfalls(&self) -> Vec<Shortfall>;

    /// Takes away what only loading needs.
    ///
    /// # Errors
    /// When the system refuses; the worker must not go on then.
    fn seal(&mut self) -> std::io::Result<()>;
}

/// What a node demands of a worker's sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// Without one of these the worker is given nothing to do.
    pub required: Layers,
    /// Layers that are not to be put up.
    pub skip: Layers,
}

impl From<Tier> for Demand {
    fn from(tier: Tier) -> Self {
        Self { required: tier.layers().iter().copied().collect(), skip: Layers::new() }
    }
}

impl Demand {
    /// Nothing: for workers that read nothing foreign, in tests and measurements.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { required: Layers::new(), skip: Layers::new() }
    }
}
