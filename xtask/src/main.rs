//! The project's own tools: the house rules that a compiler cannot check, what the window takes from Rust, and how the
//! demo model is made.

#[cfg(feature = "bindings")]
mod bindings;
#[cfg(feature = "train")]
mod demo_model;
#[cfg(feature = "bindings")]
mod manual;
mod tidy;

use std::process::ExitCode;

use anyhow::{Result, bail};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<()> {
    match args.first().map(String::as_str) {
        Some("tidy") => tidy::run(),
        #[cfg(feature = "bindings")]
        Some("bindings") => bindings::run(&args[1..]),
        #[cfg(not(feature = "bindings"))]
        Some("bindings") => again_with("bindings", args),
        #[cfg(feature = "train")]
        Some("demo-model") => demo_model::run(&args[1..]),
        #[cfg(not(feature = "train"))]
        Some("demo-model") => bail!("training needs its own build: ./x demo-model"),
        _ => bail!("tasks: tidy, bindings, demo-model"),
    }
}

/// Builds and runs this program with a feature that only one task needs.
#[cfg(not(feature = "bindings"))]
fn again_with(feature: &str, args: &[String]) -> Result<()> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let asked = ["run", "--quiet", "-p", "xtask", "--features", feature, "--"];
    if !std::process::Command::new(cargo).args(asked).args(args).status()?.success() {
        bail!("{} did not succeed", args.join(" "));
    }
    Ok(())
}
