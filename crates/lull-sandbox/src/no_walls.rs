//! Systems on which nothing is known that could confine a process: every layer is a shortfall.

use std::{
    io,
    path::{Path, PathBuf},
};

use lull_types::Layer;

use crate::confine::{Confine, Report};

/// A process without walls.
#[derive(Debug)]
pub(crate) struct Inside {
    model: PathBuf,
    scratch: PathBuf,
}

impl Inside {
    pub(crate) fn enter(wanted: &Confine, report: &mut Report) -> io::Result<Self> {
        for layer in Layer::ALL.into_iter().filter(|layer| *layer != Layer::RunFilter) {
            report.lacks(layer, "Lull cannot confine a worker on this system");
        }
        Ok(Self { model: wanted.model.clone(), scratch: wanted.scratch.clone() })
    }

    pub(crate) fn model(&self) -> &Path {
        &self.model
    }

    pub(crate) fn scratch(&self) -> &Path {
        &self.scratch
    }

    pub(crate) fn seal(&mut self, report: &mut Report) -> io::Result<()> {
        report.lacks(Layer::RunFilter, "Lull cannot confine a worker on this system");
        Ok(())
    }
}
