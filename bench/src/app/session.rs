//! A person's session of the bench's own: bus, panel, screen, and a machine that has joined a pool with one lender.

use std::{
    cell::RefCell,
    env,
    io::{BufRead as _, BufReader, ErrorKind},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use lull_node::{NodeApi as _, RemoteNode};
use lull_tests::{Enrolled, Node, NodeRole, Org, Process, Relay};
use lull_types::{Fault, LendingView, Prefs, Request, Response};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::panel::Panel;

/// What the window's screen has, in pixels and bits.
const SCREEN: &str = "1280x800x24";
/// No answer takes this long; it only keeps a broken run from hanging.
const HANG: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The session. All of it ends when this is dropped.
pub(super) struct Session {
    /// The window's program.
    pub(super) window: PathBuf,
    panel: RefCell<Panel>,
    bus: Server,
    screen: Server,
    runtime: Runtime,
    enrolled: Enrolled,
    config: TempDir,
    _lender: Node,
    _relay: Relay,
    org: Org,
}

impl Session {
    pub(super) fn start() -> Result<Self> {
        let window = env::var_os("LULL_WINDOW").context("LULL_WINDOW names no window: run this through ./x bench")?;
        let org = Org::create("Example")?;
        let relay = org.relay()?;
        let lender = org.node("lender", NodeRole::Dedicated)?;
        let enrolled = org.enroll("desk")?;
        let config = tempfile::tempdir()?;
        let bus = Server::bus(config.path())?;
        Ok(Self {
            window: window.into(),
            panel: RefCell::new(Panel::on(&bus.said)?),
            bus,
            screen: Server::screen()?,
            runtime: Runtime::new()?,
            enrolled,
            config,
            _lender: lender,
            _relay: relay,
            org,
        })
    }

    /// The tray's program.
    pub(super) fn app_program(&self) -> PathBuf {
        self.org.programs.bin.join("lull-app")
    }

    /// For `DISPLAY`.
    pub(super) fn display(&self) -> &str {
        &self.screen.said
    }

    /// Starts the app as at login, and how long it took until its icon could be drawn.
    pub(super) fn app(&self) -> Result<(Process, Duration)> {
        let mut command = self.command(&self.app_program());
        command.args(["--background", "--api", "127.0.0.1:0", "--threads", "1"]);
        let began = Instant::now();
        let app = Process::start(command, &self.enrolled.home.with_extension("log"))?;
        self.panel.borrow_mut().icon().with_context(|| app.log())?;
        Ok((app, began.elapsed()))
    }

    /// A window of its own for the node that runs.
    pub(super) fn window_command(&self) -> Command {
        let mut command = self.command(&self.window);
        command.args(["--page", "home"]).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Has the running app open its window, as a second start does.
    pub(super) fn open_window(&self) -> Result<()> {
        let ended = self.command(&self.app_program()).stderr(Stdio::null()).status()?;
        ensure!(ended.success(), "the second start of the app failed: {ended}");
        Ok(())
    }

    /// Answers the first page: lending agreed, no start at login.
    pub(super) fn welcomed(&self) -> Result<()> {
        let prefs = Prefs { welcomed: true, autostart: Some(false), lang: Some("en".into()), ..Prefs::default() };
        for request in [Request::SetPrefs { prefs }, Request::Lend { on: true }] {
            let said = self.ask(&request)?;
            ensure!(said == Response::Done, "{request:?}: {said:?}");
        }
        Ok(())
    }

    /// What the node does now, in words.
    pub(super) fn state(&self) -> Result<String> {
        let Response::Status(status) = self.ask(&Request::Status)? else { bail!("the node tells no status") };
        let lending = match status.lending {
            LendingView::Off { .. } => "lending is off",
            LendingView::Waiting { .. } => "it waits until it may lend",
            LendingView::Lending { .. } => "it lends, nobody asks",
            LendingView::Yielding { .. } => "it gives the machine back",
            LendingView::Paused { .. } => "it is paused",
        };
        Ok(format!("{lending}, {} workers", status.workers.len()))
    }

    /// Asks the person's node, which may still be starting.
    fn ask(&self, request: &Request) -> Result<Response> {
        let began = Instant::now();
        loop {
            match self.runtime.block_on(self.once(request)) {
                Ok(response) => return Ok(response),
                Err(fault) if began.elapsed() > HANG => return Err(anyhow!("{}", fault.message)),
                Err(_) => thread::sleep(LOOK_EVERY),
            }
        }
    }

    async fn once(&self, request: &Request) -> Result<Response, Fault> {
        RemoteNode::connect(&self.enrolled.home).await?.call(request.clone()).await
    }

    /// A program in this session, with nothing of this process's own environment.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LANG", "C.UTF-8").stdin(Stdio::null());
        for kept in ["HOME", "XDG_RUNTIME_DIR", "TMPDIR"] {
            command.envs(env::var_os(kept).map(|value| (kept, value)));
        }
        command
            .env("DISPLAY", self.display())
            .env("DBUS_SESSION_BUS_ADDRESS", &self.bus.said)
            .env("DBUS_SYSTEM_BUS_ADDRESS", &self.bus.said)
            .env("XDG_CONFIG_HOME", self.config.path())
            .env("LULL_HOME", &self.enrolled.home)
            .env("LULL_WORKER_DIR", &self.org.programs.workers)
            .env("LULL_WINDOW", &self.window)
            // A screen without a graphics processor, and nobody who reads it aloud.
            .envs([("GDK_BACKEND", "x11"), ("NO_AT_BRIDGE", "1")])
            .envs([("WEBKIT_DISABLE_COMPOSITING_MODE", "1"), ("WEBKIT_DISABLE_DMABUF_RENDERER", "1")]);
        command
    }
}

/// A program that says in its first line where it can be reached. Killed when dropped.
struct Server {
    process: Child,
    said: String,
}

impl Server {
    fn screen() -> Result<Self> {
        let arguments = ["-displayfd", "1", "-screen", "0", SCREEN, "-nolisten", "tcp", "-ac", "-noreset"];
        let mut server = Self::start(Command::new("Xvfb").args(arguments), "xvfb")?;
        server.said.insert(0, ':');
        Ok(server)
    }

    /// A bus that allows everything and starts nothing by itself.
    fn bus(folder: &Path) -> Result<Self> {
        let file = folder.join("bus.conf");
        let listen = folder.join("bus");
        std::fs::write(&file, BUS.replace("SOCKET", &listen.to_string_lossy()))?;
        let mut command = Command::new("dbus-daemon");
        command.arg("--config-file").arg(&file).args(["--nofork", "--nopidfile", "--print-address=1"]);
        Self::start(&mut command, "dbus")
    }

    fn start(command: &mut Command, package: &str) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let process = match command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("{name} is not here; install Debian's package {package}"));
            }
            other => other.with_context(|| format!("{name} does not start"))?,
        };
        let mut server = Self { process, said: String::new() };
        let output = server.process.stdout.take().context("no pipe")?;
        BufReader::new(output).read_line(&mut server.said)?;
        server.said.truncate(server.said.trim_end().len());
        ensure!(!server.said.is_empty(), "{name} ended before it could be reached; try it by hand");
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <keep_umask/>
  <listen>unix:path=SOCKET</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;
