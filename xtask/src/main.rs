//! The project's own tools: the house rules that a compiler cannot check, and how the demo model is made.

#[cfg(feature = "train")]
mod demo_model;
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
        #[cfg(feature = "train")]
        Some("demo-model") => demo_model::run(&args[1..]),
        #[cfg(not(feature = "train"))]
        Some("demo-model") => bail!("training needs its own build: ./x demo-model"),
        _ => bail!("tasks: tidy, demo-model"),
    }
}
