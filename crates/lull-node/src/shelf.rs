use std::path::{Path, PathBuf};

use lull_models::{Format, Store};
use lull_types::{Code, Fault, ModelHash};

/// The models on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Shelf {
    /// By name.
    pub(crate) models: Vec<Shelved>,
}

/// A model on this machine, usable or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shelved {
    pub(crate) name: String,
    pub(crate) model: Result<LocalModel, Fault>,
}

/// A model that a worker can load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalModel {
    pub(crate) name: String,
    pub(crate) hash: ModelHash,
    pub(crate) folder: PathBuf,
    pub(crate) format: Format,
    /// In tokens.
    pub(crate) context: u32,
    pub(crate) bytes: u64,
}

impl Shelf {
    /// Looks at the store in a node's home, with the demo model put there first if `demo` says so.
    pub(crate) async fn look(home: &Path, demo: bool) -> Result<Self, Fault> {
        let home = home.to_owned();
        let looking = tokio::task::spawn_blocking(move || look(&home, demo));
        looking.await.unwrap_or_else(|_| Err(Fault::new(Code::Internal, "looking at the models failed; try again")))
    }

    pub(crate) fn usable(&self) -> impl Iterator<Item = &LocalModel> {
        self.models.iter().filter_map(|shelved| shelved.model.as_ref().ok())
    }

    pub(crate) fn by_hash(&self, hash: &ModelHash) -> Option<&LocalModel> {
        self.usable().find(|model| model.hash == *hash)
    }
}

fn look(home: &Path, demo: bool) -> Result<Shelf, Fault> {
    let store = Store::open(home)?;
    if demo && let Err(fault) = store.ensure_demo() {
        tracing::warn!(code = %fault.code, reason = fault.message, "the demo model could not be put in place");
    }
    let models = store.list()?.into_iter().map(|listed| Shelved {
        model: listed.model.map(|stored| LocalModel {
            name: listed.name.clone(),
            hash: stored.hash,
            format: stored.manifest.format,
            context: stored.manifest.context,
            bytes: stored.bytes(),
            folder: stored.folder,
        }),
        name: listed.name,
    });
    Ok(Shelf { models: models.collect() })
}
