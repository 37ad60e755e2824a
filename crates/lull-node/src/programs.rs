//! The workers' programs of this machine, and which of them answers with a model.

use std::path::{Path, PathBuf};

use lull_engine::cpu::{EngineKind, program_for_this_cpu};
use lull_models::Format;

/// What is there to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Programs {
    /// Runs every model.
    pub(crate) any: PathBuf,
    /// Runs GGUF files, and is faster with them on processors.
    pub(crate) gguf: Option<PathBuf>,
}

impl Programs {
    /// One program for everything.
    pub(crate) const fn one(program: PathBuf) -> Self {
        Self { any: program, gguf: None }
    }

    /// Those in a folder that this processor can run.
    ///
    /// # Errors
    /// Why there are none.
    pub(crate) fn found(folder: &Path) -> Result<Self, String> {
        let any = program_for_this_cpu(folder, EngineKind::Mistral).map_err(|fault| fault.message)?;
        Ok(Self { any, gguf: program_for_this_cpu(folder, EngineKind::Llama).ok() })
    }

    /// Those for a model, the fastest first: each further one is for what the one before cannot load.
    pub(crate) fn for_format(&self, format: Format) -> Vec<&PathBuf> {
        let gguf = self.gguf.as_ref().filter(|_| format == Format::Gguf);
        gguf.into_iter().chain([&self.any]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gguf_files_are_for_the_faster_engine_where_there_is_one() {
        let folder = tempfile::tempdir().unwrap();
        Programs::found(folder.path()).unwrap_err();
        let put = |engine: EngineKind| {
            let path = folder.path().join(format!("{}{}", engine.baseline(), std::env::consts::EXE_SUFFIX));
            std::fs::write(&path, "").unwrap();
            path
        };
        let any = put(EngineKind::Mistral);
        assert_eq!(Programs::found(folder.path()), Ok(Programs::one(any.clone())));
        let gguf = put(EngineKind::Llama);
        let programs = Programs::found(folder.path()).unwrap();
        assert_eq!(programs.for_format(Format::Gguf), [&gguf, &any]);
        assert_eq!(programs.for_format(Format::Safetensors), [&any]);
    }
}
