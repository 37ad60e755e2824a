//! Measurements of Lull, with peers beside them: a table for people, JSON for programs.
//! It must never be part of what ships.

#[cfg(target_os = "linux")]
mod app;
mod engine;
mod machine;
mod pool;
mod report;
mod sandbox;
mod setup;
mod stats;
mod trust;
#[cfg(target_os = "linux")]
mod yields;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use report::Report;

/// What every bench gets.
struct Options {
    /// Fewer rounds, and nothing built that takes more than minutes.
    quick: bool,
}

/// A bench by its name.
struct Bench {
    name: &'static str,
    about: &'static str,
    run: fn(&Options) -> Result<Report>,
}

const BENCHES: &[Bench] = &[
    Bench {
        name: "engine",
        about: "prefill and decode of our worker, beside llama.cpp and mistral.rs called directly",
        run: engine::run,
    },
    #[cfg(target_os = "linux")]
    Bench {
        name: "app",
        about: "what the desktop app costs: start, first paint, memory, processor, frames, size",
        run: app::run,
    },
    Bench { name: "pool", about: "what the pool adds to a worker alone, and what the relay spends", run: pool::run },
    Bench { name: "sandbox", about: "what confining a worker costs: decode, prefill and start", run: sandbox::run },
    Bench {
        name: "trust",
        about: "revocation, a policy on its way to 200 nodes, joining and handshakes",
        run: trust::run,
    },
    #[cfg(target_os = "linux")]
    Bench {
        name: "yield",
        about: "from the owner's first input until the machine is theirs: processor, memory, what they feel",
        run: yields::run,
    },
];

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<()> {
    #[cfg(target_os = "linux")]
    if let Some(played) = yields::play(&std::env::args().skip(1).collect::<Vec<_>>()) {
        return played;
    }
    measure()
}

fn measure() -> Result<()> {
    let (mut name, mut json, mut quick) = (None, None, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => quick = true,
            "--json" => json = Some(PathBuf::from(arguments.next().context("--json needs a file")?)),
            "--help" | "-h" => {
                println!("{}", usage());
                return Ok(());
            }
            other if other.starts_with('-') => bail!("there is no option {other}\n{}", usage()),
            other if name.is_none() => name = Some(other.to_owned()),
            other => bail!("one bench at a time, not also {other}\n{}", usage()),
        }
    }
    let name = name.with_context(|| format!("which bench?\n{}", usage()))?;
    let bench = BENCHES.iter().find(|bench| bench.name == name);
    let bench = bench.with_context(|| format!("there is no bench \"{name}\"\n{}", usage()))?;
    let report = (bench.run)(&Options { quick })?;
    print!("{}", report.table());
    if let Some(path) = json {
        report.write(&path)?;
    }
    Ok(())
}

fn usage() -> String {
    let list: String = BENCHES.iter().map(|bench| format!("\n  {:<8} {}", bench.name, bench.about)).collect();
    format!("usage: ./x bench NAME [--quick] [--json FILE]\nexample: ./x bench engine --quick{list}")
}
