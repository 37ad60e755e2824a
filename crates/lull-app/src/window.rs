//! The window, which is a process while it is open.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use lull_types::Page;
use tokio::{
    process::{Child, Command},
    sync::oneshot,
    task::JoinHandle,
};

/// The environment variable that names the window's program.
const PROGRAM_VARIABLE: &str = "LULL_WINDOW";
/// Where packages put it.
const PACKAGED_IN: &str = "/usr/lib/lull";
/// How long a window may take to close before it is ended.
const CLOSES_WITHIN: Duration = Duration::from_secs(2);

/// An open window.
pub(crate) struct Window {
    close: oneshot::Sender<()>,
    watch: JoinHandle<()>,
}

impl Window {
    /// Opens it; `closed` is called when it has closed, by whomever.
    ///
    /// # Errors
    /// When the program is not there or cannot be started.
    pub(crate) fn open(
        home: &Path,
        page: Option<Page>,
        closed: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<Self> {
        let page = page.unwrap_or(Page::Home).path().trim_start_matches("#/");
        let child = Command::new(program())
            .env("LULL_HOME", home)
            .args(["--page", page])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let (close, asked) = oneshot::channel();
        let watch = tokio::spawn(async move {
            watch(child, asked).await;
            closed.await;
        });
        Ok(Self { close, watch })
    }

    /// Closes it, and waits until it has.
    pub(crate) async fn close(self) {
        let _ = self.close.send(());
        let _ = self.watch.await;
    }
}

async fn watch(mut child: Child, asked: oneshot::Receiver<()>) {
    let (ended, was_asked) = tokio::select! {
        ended = child.wait() => (ended, false),
        _ = asked => (close(&mut child).await, true),
    };
    match ended {
        Ok(status) if status.success() || was_asked => tracing::debug!("the window has closed"),
        Ok(status) => tracing::warn!(%status, "the window has ended"),
        Err(error) => tracing::warn!(%error, "the window cannot be watched"),
    }
}

async fn close(child: &mut Child) -> io::Result<std::process::ExitStatus> {
    ask_to_end(child);
    if let Ok(ended) = tokio::time::timeout(CLOSES_WITHIN, child.wait()).await {
        return ended;
    }
    child.kill().await?;
    child.wait().await
}

#[cfg(target_os = "linux")]
fn ask_to_end(child: &Child) {
    use rustix::process::{Pid, Signal, kill_process};
    let pid = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    if let Some(Err(error)) = pid.map(|pid| kill_process(pid, Signal::TERM)) {
        tracing::debug!(%error, "the window cannot be asked to close");
    }
}

#[cfg(not(target_os = "linux"))]
fn ask_to_end(_: &Child) {}

/// The window's program: where the environment says, else beside this one, else where packages put it.
fn program() -> PathBuf {
    if let Some(named) = env::var_os(PROGRAM_VARIABLE).filter(|named| !named.is_empty()) {
        return named.into();
    }
    let name = format!("lull-window{}", env::consts::EXE_SUFFIX);
    let beside = crate::own_path().and_then(|own| Some(own.parent()?.join(&name)));
    beside.filter(|path| path.exists()).unwrap_or_else(|| Path::new(PACKAGED_IN).join(name))
}
