//! What the browser's tests play on: a real relay, a machine that lends, and the machine whose window is looked at.

mod stage;

use std::{io::BufRead as _, process::ExitCode};

use anyhow::Result;
use clap::Parser;
use serde_json::{Value, json};

use stage::Stage;

/// Sets up an organisation, prints what there is as a line of JSON, then does what each line of standard input says and
/// prints a line of JSON for it. It ends with standard input.
///
/// Lines: relay start|stop, lender start|stop|hold|go, node start|stop, url, invitation, call REQUEST (as JSON), ask COUNT.
#[derive(Debug, Parser)]
struct Args {
    /// The machine whose window is looked at has joined already
    #[arg(long)]
    joined: bool,
    /// Nobody sits at that machine: it lends without sensors
    #[arg(long)]
    dedicated: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stage: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let mut stage = Stage::set(args.joined, args.dedicated)?;
    println!("{}", stage.facts()?);
    for line in std::io::stdin().lock().lines() {
        let said = stage.hear(line?.trim()).unwrap_or_else(|error| json!({"error": format!("{error:#}")}));
        println!("{said}");
        if said == Value::Null {
            break;
        }
    }
    Ok(())
}
