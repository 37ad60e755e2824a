//! Which build of the worker this processor can run.

use std::path::{Path, PathBuf};

use lull_types::{Code, Fault};

/// The worker for any processor of this kind.
pub const BASELINE: &str = "lull-worker-mistral";
/// The worker for x86-64 processors with AVX2 and FMA.
pub const V3: &str = "lull-worker-mistral-v3";

/// The fastest worker in `dir` that this processor can run.
///
/// # Errors
/// [`Code::Storage`] when there is none, with the way to get one.
pub fn program_for_this_cpu(dir: &Path) -> Result<PathBuf, Fault> {
    let suffix = std::env::consts::EXE_SUFFIX;
    let program = |name: &str| Some(dir.join(format!("{name}{suffix}"))).filter(|path| path.is_file());
    has_v3().then(|| program(V3)).flatten().or_else(|| program(BASELINE)).ok_or_else(|| {
        Fault::new(
            Code::Storage,
            format!("no worker for this processor in {}; make one with: ./x build-worker", dir.display()),
        )
    })
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
    if cfg!(all(target_arch = "x86_64", target_feature = "avx2", target_feature = "fma", target_feature = "bmi2")) {
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
        let fault = program_for_this_cpu(dir.path()).unwrap_err();
        assert!(fault.message.contains("./x build-worker"), "{fault}");
        std::fs::write(dir.path().join(BASELINE), "").unwrap();
        assert!(program_for_this_cpu(dir.path()).unwrap().ends_with(BASELINE));
        std::fs::write(dir.path().join(V3), "").unwrap();
        let expected = if has_v3() { V3 } else { BASELINE };
        assert!(program_for_this_cpu(dir.path()).unwrap().ends_with(expected));
    }
}
