use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, fmt};

use crate::args::LogFormat;

/// Writes logs to standard error. `LULL_LOG` selects what, as `RUST_LOG` does elsewhere; the default is `info`.
pub(crate) fn start(format: Option<LogFormat>) {
    let default = if std::io::stderr().is_terminal() { LogFormat::Text } else { LogFormat::Json };
    let filter = EnvFilter::try_from_env("LULL_LOG").unwrap_or_else(|_| EnvFilter::new("info,quinn=warn,rustls=warn"));
    let builder = fmt().with_writer(std::io::stderr).with_env_filter(filter);
    match format.unwrap_or(default) {
        LogFormat::Text => builder.with_target(false).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}

/// Resolves when this process is asked to stop.
pub(crate) async fn asked_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
