use std::{env, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail};

/// Where everything is kept that can be made again.
pub(crate) fn cache() -> Result<PathBuf> {
    if let Some(cache) = env::var_os("LULL_CACHE") {
        return Ok(cache.into());
    }
    let base = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    Ok(base.or_else(home).context("neither LULL_CACHE nor HOME is set")?.join("lull"))
}

/// The root of the sources.
pub(crate) fn sources() -> PathBuf {
    let here = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.join("..")
}

/// One build of a worker.
pub(crate) struct WorkerBuild {
    /// For people and in JSON.
    pub(crate) engine: &'static str,
    program: &'static str,
    target: &'static str,
    flags: &'static str,
}

pub(crate) const V3: WorkerBuild = WorkerBuild {
    engine: "worker-v3",
    program: "lull-worker-mistral",
    target: "worker-v3",
    flags: "-Ctarget-cpu=x86-64-v3",
};
pub(crate) const BASELINE: WorkerBuild =
    WorkerBuild { engine: "worker-baseline", program: "lull-worker-mistral", target: "worker-baseline", flags: "" };
pub(crate) const LLAMA_V4: WorkerBuild = WorkerBuild {
    engine: "llama-v4",
    program: "lull-worker-llama",
    target: "llama-v4",
    flags: "-Ctarget-cpu=x86-64-v4 -Ctarget-feature=+avx512vnni,+avx512vbmi",
};
pub(crate) const LLAMA_V3: WorkerBuild = WorkerBuild {
    engine: "llama-v3",
    program: "lull-worker-llama",
    target: "llama-v3",
    flags: "-Ctarget-cpu=x86-64-v3",
};

impl WorkerBuild {
    /// Whether it is there already, so that building it takes seconds.
    pub(crate) fn is_made(&self) -> bool {
        self.folder().is_ok_and(|folder| folder.join(self.program).is_file())
    }

    /// Builds what is not up to date and gives the worker's program.
    pub(crate) fn make(&self) -> Result<PathBuf> {
        self.cargo(&["--bin", self.program])?;
        Ok(self.folder()?.join(self.program))
    }

    /// The same, for the program that calls mistral.rs without us between.
    pub(crate) fn make_direct(&self) -> Result<PathBuf> {
        self.cargo(&["--example", "direct"])?;
        Ok(self.folder()?.join("examples/direct"))
    }

    fn folder(&self) -> Result<PathBuf> {
        Ok(cache()?.join(self.target).join("release"))
    }

    fn cargo(&self, what: &[&str]) -> Result<()> {
        eprintln!("building {} ({}); the first time takes many minutes", what.join(" "), self.engine);
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .args(["build", "--release", "--locked"])
            .args(what)
            .current_dir(sources().join("crates").join(self.program))
            .env("CARGO_TARGET_DIR", cache()?.join(self.target));
        // What cargo tells this program of itself would make ring's build script, and all above it, build anew.
        for (name, _) in env::vars_os() {
            let told =
                ["CARGO_MANIFEST", "CARGO_PKG_", "CARGO_ENCODED_", "CARGO_CRATE_", "CARGO_BIN_", "CARGO_PRIMARY"];
            if told.iter().any(|told| name.to_string_lossy().starts_with(told)) {
                command.env_remove(name);
            }
        }
        if self.flags.is_empty() {
            command.env_remove("RUSTFLAGS");
        } else {
            command.env("RUSTFLAGS", self.flags);
        }
        run(&mut command)
    }
}

/// The Python of an environment of its own with the peer in it.
pub(crate) fn python_with(package: &str, module: &str) -> Result<PathBuf> {
    let venv = cache()?.join("bench/venv");
    let python = venv.join("bin/python");
    let there = Command::new(&python).args(["-c", &format!("import {module}")]).output();
    if there.is_ok_and(|output| output.status.success()) {
        return Ok(python);
    }
    eprintln!("installing {package} from its sources; the first time takes many minutes");
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    let name = package.split("==").next().unwrap_or(package);
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--no-binary", name, package]))?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {:?}", command.get_program()))?;
    if !status.success() {
        bail!("{command:?} failed: {status}");
    }
    Ok(())
}
