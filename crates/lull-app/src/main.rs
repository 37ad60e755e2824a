//! The desktop app: a tray icon, the node inside it, and the window as a process of its own. It must never know what is
//! said to the node or by it: `lull-desktop` says what is shown, and the node decides.

// No console beside the tray.
#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

mod app;
mod args;
mod autostart;
mod calls;
mod notices;
mod seat;
mod second;
mod signals;
mod tray;
mod window;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser as _;
use lull_door::Home;
use lull_types::{Code, Fault};

use crate::{args::Args, second::Turn, tray::Place};

/// Threads that do the app's and its node's own work; workers are processes of their own.
const THREADS: usize = 2;
/// Threads for what may wait for a disk.
const BLOCKING_THREADS_MAX: usize = 8;

fn main() -> ExitCode {
    let args = Args::parse();
    args::log();
    match tray::beside(|place| start(args, place)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            tracing::error!(code = %fault.code, reason = fault.message, "the app ends");
            ExitCode::FAILURE
        }
    }
}

fn start(args: Args, place: Place) -> Result<(), Fault> {
    // Questions and answers pass through this process.
    lull_sandbox::leave_no_dump().map_err(|error| internal("turn dumps off", &error))?;
    let home = Home::open(&Home::locate()?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .enable_all()
        .build()
        .map_err(|error| internal("start", &error))?;
    let result = runtime.block_on(run(args, home, place));
    runtime.shutdown_background();
    result
}

async fn run(args: Args, home: Home, place: Place) -> Result<(), Fault> {
    match second::turn(&home)? {
        Turn::First(_lock) => app::run(args, home, place).await,
        Turn::Second => second::show(home.path()).await,
    }
}

fn internal(what: &str, error: &std::io::Error) -> Fault {
    Fault::new(Code::Internal, format!("Lull cannot {what}: {error}; log in again, then start it again"))
}

/// Where this program is, to find what lies beside it.
fn own_path() -> Option<PathBuf> {
    std::env::current_exe().ok().and_then(|path| path.canonicalize().ok())
}
