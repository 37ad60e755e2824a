//! Confining the calling process: the same words on every system. What puts the layers up is the platform's.

use std::{
    io,
    path::{Path, PathBuf},
};

use lull_types::{Layer, Layers, Shortfall};

use crate::walls::Inside;

/// What a worker computes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// Processors only.
    #[default]
    Cpu,
    /// NVIDIA GPUs: their driver needs devices, libraries and code of its own. Never tried on such a machine yet.
    Cuda,
}

/// What to put up, decided by the node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Confine {
    /// What the worker computes on.
    pub profile: Profile,
    /// The folder that may be read. It must hold its files itself: links that lead out of it end nowhere.
    pub model: PathBuf,
    /// A folder that exists. What folders lie in it are there afterwards, too; nothing else, and nothing can be
    /// written.
    pub scratch: PathBuf,
    /// The most memory for data, in bytes.
    pub memory_max: Option<u64>,
    /// Layers that are not to be put up.
    pub skip: Layers,
    /// Open files that stay open, by their numbers, beside standard input, output and error: the pipe to the node.
    pub keep: Vec<i32>,
}

/// What the calling process is confined by, from now on until its end.
#[derive(Debug)]
pub struct Confined {
    inside: Inside,
    report: Report,
}

/// Puts up every layer but [`Layer::RunFilter`] that this system offers and `wanted.skip` does not name. To be called
/// in a process with one thread, before the first byte of a model is read. A layer that the system does not offer is a
/// [`Shortfall`], not an error. It takes some milliseconds.
///
/// # Errors
/// When the process is left in a state that must not go on: it has more than one thread, its parent has gone, or a
/// step failed that cannot be taken back.
pub fn enter(wanted: &Confine) -> io::Result<Confined> {
    let mut report = Report::new(&wanted.skip);
    let inside = Inside::enter(wanted, &mut report)?;
    Ok(Confined { inside, report })
}

impl Confined {
    /// Where the model folder is now: elsewhere, with [`Layer::OwnRoot`].
    #[must_use]
    pub fn model(&self) -> &Path {
        self.inside.model()
    }

    /// A folder in which nothing can be written, under the name that it always had.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.inside.scratch()
    }

    /// The layers that are in force: each one has been looked at after it was put up.
    #[must_use]
    pub const fn layers(&self) -> &Layers {
        &self.report.layers
    }

    /// The layers that were wanted and could not be put up.
    #[must_use]
    pub fn shortfalls(&self) -> &[Shortfall] {
        &self.report.shortfalls
    }

    /// After loading: takes the opening of files from every thread, and all that only loading needs. Adds
    /// [`Layer::RunFilter`]. A second time changes nothing.
    ///
    /// # Errors
    /// When the system refuses what it allowed at [`enter`]; the process must not go on then.
    pub fn seal(&mut self) -> io::Result<()> {
        if !self.report.layers.contains(&Layer::RunFilter) {
            self.inside.seal(&mut self.report)?;
        }
        Ok(())
    }
}

/// The environment variables that a node sets for its worker, or must leave to it; all others would be somebody's who
/// started the node.
const VARIABLES: [&str; 9] = [
    "HF_HOME",
    "HOME",
    "TEMP",
    "TMP",
    "TMPDIR",
    "RAYON_NUM_THREADS",
    "TOKIO_WORKER_THREADS",
    "LULL_WORKER_MEMORY",
    "SystemRoot",
];

/// Fails when the environment holds what is not the node's.
pub(crate) fn no_foreign_environment() -> Result<(), String> {
    match std::env::vars_os().map(|(name, _)| name).find(|name| !VARIABLES.iter().any(|known| name == known)) {
        Some(name) => Err(format!("the environment holds {}", name.display())),
        None => Ok(()),
    }
}

/// What has been put up so far.
#[derive(Debug)]
pub(crate) struct Report {
    skip: Layers,
    layers: Layers,
    shortfalls: Vec<Shortfall>,
}

impl Report {
    fn new(skip: &Layers) -> Self {
        Self { skip: skip.clone(), layers: Layers::new(), shortfalls: Vec::new() }
    }

    pub(crate) fn is_wanted(&self, layer: Layer) -> bool {
        !self.skip.contains(&layer)
    }

    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "elsewhere no layer rests on another"))]
    pub(crate) fn is_up(&self, layer: Layer) -> bool {
        self.layers.contains(&layer)
    }

    /// Puts up one layer, if it is wanted. `build` gives why it could not.
    pub(crate) fn put_up(&mut self, layer: Layer, build: impl FnOnce() -> Result<(), String>) {
        if self.is_wanted(layer) {
            match build() {
                Ok(()) => _ = self.layers.insert(layer),
                Err(why) => self.lacks(layer, why),
            }
        }
    }

    /// Notes that a layer is not up, whatever was thought before.
    pub(crate) fn lacks(&mut self, layer: Layer, why: impl Into<String>) {
        self.layers.remove(&layer);
        if self.is_wanted(layer) {
            self.shortfalls.retain(|shortfall| shortfall.layer != layer);
            self.shortfalls.push(Shortfall { layer, why: why.into() });
        }
    }
}
