//! Which build of the worker this processor can run.

use std::path::{Path, PathBuf};

use lull_types::{Code, Fault};

/// An engine, which is a worker program of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EngineKind {
    /// mistral.rs: everything that Lull can run.
    Mistral,
    /// llama.cpp: GGUF files, several times as fast on processors.
    Llama,
}

impl EngineKind {
    /// Its worker for any processor of this kind.
    #[must_use]
    pub const fn baseline(self) -> &'static str {
        match self {
            Self::Mistral => "lull-worker-mistral",
            Self::Llama => "lull-worker-llama",
        }
    }

    /// Its workers that this processor can run, the fastest first.
    #[must_use]
    pub fn for_this_cpu(self) -> Vec<&'static str> {
        let (v4, v3) = match self {
            Self::Mistral => (None, "lull-worker-mistral-v3"),
            Self::Llama => (Some("lull-worker-llama-v4"), "lull-worker-llama-v3"),
        };
        let v4 = v4.filter(|_| has_v4());
        v4.into_iter().chain(has_v3().then_some(v3)).chain([self.baseline()]).collect()
    }
}

/// The fastest worker of an engine in `dir` that this processor can run.
///
/// # Errors
/// [`Code::Storage`] when there is none, with the way to get one.
pub fn program_for_this_cpu(dir: &Path, engine: EngineKind) -> Result<PathBuf, Fault> {
    let suffix = std::env::consts::EXE_SUFFIX;
    let names = engine.for_this_cpu().into_iter();
    let found = names.map(|name| dir.join(format!("{name}{suffix}"))).find(|path| path.is_file());
    found.ok_or_else(|| {
        let text = format!("no worker for this processor in {}; make one with: ./x build-worker", dir.display());
        Fault::new(Code::Storage, text)
    })
}

/// Whether this processor has what `x86-64-v4` promises, and AVX-512's instructions for neural networks (VNNI, VBMI).
#[must_use]
pub fn has_v4() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        has_v3()
            && has!("avx512f")
            && has!("avx512bw")
            && has!("avx512cd")
            && has!("avx512dq")
            && has!("avx512vl")
            && has!("avx512vnni")
            && has!("avx512vbmi")
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Whether this processor has what `x86-64-v3` promises.
#[must_use]
pub fn has_v3() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        has!("avx")
            && has!("avx2")
            && has!("bmi1")
            && has!("bmi2")
            && has!("f16c")
            && has!("fma")
            && has!("lzcnt")
            && has!("movbe")
            && has!("xsave")
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// What this very program was built for.
#[must_use]
pub const fn build() -> &'static str {
    if cfg!(all(target_arch = "x86_64", target_feature = "avx512f", target_feature = "avx512vnni")) {
        "x86-64-v4"
    } else if cfg!(all(
        target_arch = "x86_64",
        target_feature = "avx2",
        target_feature = "fma",
        target_feature = "bmi2"
    )) {
        "x86-64-v3"
    } else {
        std::env::consts::ARCH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_build_only_where_it_runs() {
        let dir = tempfile::tempdir().unwrap();
        for engine in [EngineKind::Mistral, EngineKind::Llama] {
            let fault = program_for_this_cpu(dir.path(), engine).unwrap_err();
            assert!(fault.message.contains("./x build-worker"), "{fault}");
            let name = engine.baseline();
            for build in [name.to_owned(), format!("{name}-v3"), format!("{name}-v4")] {
                std::fs::write(dir.path().join(&build), "").unwrap();
            }
            let best = match (has_v4() && engine == EngineKind::Llama, has_v3()) {
                (true, _) => "-v4",
                (false, true) => "-v3",
                (false, false) => "",
            };
            let program = program_for_this_cpu(dir.path(), engine).unwrap();
            assert_eq!(program.file_name().unwrap().to_str(), Some(format!("{name}{best}").as_str()));
            std::fs::remove_file(&program).unwrap();
            assert_ne!(program_for_this_cpu(dir.path(), engine).ok(), Some(program));
        }
    }
}
