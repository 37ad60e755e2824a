use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Parser;
use lull_node::{NodeOptions, Senses, Timing};
use tracing_subscriber::{EnvFilter, fmt};

/// Lull's tray icon and, inside it, this machine's node. LULL_HOME names the folder in which it keeps everything.
#[derive(Debug, Clone, Parser)]
#[command(name = "lull-app", version, after_help = "Example: lull-app --background")]
pub(crate) struct Args {
    /// Open no window: for a start at login
    #[arg(long)]
    pub(crate) background: bool,
    /// Where to serve the local API (TCP, loopback) [default: 127.0.0.1:5855, or a free port if that is taken]
    #[arg(long, value_name = "ADDR:PORT", hide = true)]
    pub(crate) api: Option<SocketAddr>,
    #[command(flatten)]
    rehearsal: Rehearsal,
}

/// What tests and measurements set otherwise than people want it. It can loosen nothing that the organisation set.
#[derive(Debug, Clone, clap::Args)]
struct Rehearsal {
    #[arg(long, hide = true, value_name = "DIR")]
    senses_root: Option<PathBuf>,
    #[arg(long, hide = true, value_name = "FILE")]
    machine_rules: Option<PathBuf>,
    #[arg(long, hide = true)]
    threads: Option<u16>,
    #[arg(long, hide = true)]
    idle_ms: Option<u64>,
    #[arg(long, hide = true)]
    settle_ms: Option<u64>,
}

impl Args {
    /// How the node in this process runs.
    pub(crate) fn node(&self) -> NodeOptions {
        let Rehearsal { senses_root, machine_rules, threads, idle_ms, settle_ms } = self.rehearsal.clone();
        let ms = |ms: Option<u64>| ms.map(Duration::from_millis);
        let mut senses = Senses::default();
        senses.root = senses_root.unwrap_or(senses.root);
        let timing = Timing { idle: ms(idle_ms), settle: ms(settle_ms), ..Timing::default() };
        NodeOptions { threads, machine_rules, timing, senses, ..NodeOptions::default() }
    }
}

/// Writes logs to standard error, which a session keeps in its journal. `LULL_LOG` selects what.
pub(crate) fn log() {
    let filter = EnvFilter::try_from_env("LULL_LOG").unwrap_or_else(|_| EnvFilter::new("info,quinn=warn,rustls=warn"));
    fmt().with_writer(std::io::stderr).with_env_filter(filter).json().flatten_event(true).init();
}
