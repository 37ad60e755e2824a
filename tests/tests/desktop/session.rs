//! A person's session: bus, screen, and the app in it; behind them a relay and somebody who lends.

use std::{
    collections::BTreeSet,
    env, fs,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use lull_node::{NodeApi as _, RemoteNode};
use lull_tests::{Enrolled, Node, NodeRole, Org, Process, Relay, children};
use lull_types::{Prefs, RanHere, Request, Response, StatusView};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::stage::{Bus, GUARD, Screen};

/// How often something is looked at while it is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A session, and the pool around it.
pub(crate) struct Session {
    pub(crate) bus: Bus,
    pub(crate) screen: Screen,
    pub(crate) runtime: Runtime,
    pub(crate) enrolled: Enrolled,
    pub(crate) lender: Node,
    pub(crate) config: TempDir,
    _relay: Relay,
    pub(crate) org: Org,
}

impl Session {
    /// A pool with one lender, and a person's machine that has joined it; nothing runs there yet.
    pub(crate) fn new() -> Self {
        let org = Org::create("Example").unwrap();
        let relay = org.relay().unwrap();
        let lender = org.node("lender", NodeRole::Dedicated).unwrap();
        let enrolled = org.enroll("desk").unwrap();
        Self {
            bus: Bus::start(),
            screen: Screen::start(),
            runtime: Runtime::new().unwrap(),
            enrolled,
            lender,
            config: tempfile::tempdir().unwrap(),
            _relay: relay,
            org,
        }
    }

    /// A program in this session, with nothing of this process's own environment.
    pub(crate) fn command(&self, program: PathBuf) -> Command {
        let mut command = Command::new(program);
        let home = env::var_os("HOME").unwrap_or_default();
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", home).env("LANG", "C.UTF-8");
        for kept in ["XDG_RUNTIME_DIR", "TMPDIR"] {
            command.envs(env::var_os(kept).map(|value| (kept, value)));
        }
        command
            .env("DISPLAY", self.screen.display())
            .env("DBUS_SESSION_BUS_ADDRESS", self.bus.address())
            .env("DBUS_SYSTEM_BUS_ADDRESS", self.bus.address())
            .env("XDG_CONFIG_HOME", self.config.path())
            .env("LULL_HOME", &self.enrolled.home)
            .env("LULL_WORKER_DIR", &self.org.programs.workers)
            .env("LULL_WINDOW", window_program())
            // A screen without a graphics processor, and nobody who reads it aloud.
            .envs([("GDK_BACKEND", "x11"), ("NO_AT_BRIDGE", "1")])
            .envs([("WEBKIT_DISABLE_COMPOSITING_MODE", "1"), ("WEBKIT_DISABLE_DMABUF_RENDERER", "1")])
            .stdin(Stdio::null());
        command
    }

    /// Starts the app as at login.
    pub(crate) fn app(&self) -> Process {
        self.app_with(|command| {
            command.arg("--background");
        })
    }

    /// Starts the app.
    pub(crate) fn app_with(&self, further: impl FnOnce(&mut Command)) -> Process {
        let mut command = self.command(self.app_program());
        command.args(["--api", "127.0.0.1:0", "--threads", "1"]);
        further(&mut command);
        Process::start(command, &self.enrolled.home.with_extension("log")).unwrap()
    }

    pub(crate) fn app_program(&self) -> PathBuf {
        self.org.programs.bin.join("lull-app")
    }

    /// Asks the person's node, which may still be starting.
    pub(crate) fn ask(&self, request: Request) -> Response {
        let began = Instant::now();
        loop {
            let asked = self
                .runtime
                .block_on(async { RemoteNode::connect(&self.enrolled.home).await?.call(request.clone()).await });
            match asked {
                Ok(response) => return response,
                Err(fault) => assert!(began.elapsed() < GUARD, "{request:?}: {fault:?}"),
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Answers the first page before anybody sees it: in English, no start at login, lending agreed.
    pub(crate) fn welcomed(&self) {
        let prefs = Prefs { welcomed: true, autostart: Some(false), lang: Some("en".into()), ..Prefs::default() };
        assert_eq!(self.ask(Request::SetPrefs { prefs }), Response::Done);
        assert_eq!(self.ask(Request::Lend { on: true }), Response::Done);
    }

    pub(crate) fn status(&self) -> StatusView {
        let Response::Status(status) = self.ask(Request::Status) else { panic!("no status") };
        *status
    }

    pub(crate) fn ran(&self) -> Vec<RanHere> {
        let Response::Log { jobs } = self.ask(Request::Log { limit: 1_000, before: None }) else { panic!("no log") };
        jobs
    }
}

/// The built window: `LULL_WINDOW`.
pub(crate) fn window_program() -> PathBuf {
    env::var_os("LULL_WINDOW").expect("LULL_WINDOW names no window: run this through ./x test desktop").into()
}

/// A process and all that it has started, and so on.
pub(crate) fn family(pid: u32) -> BTreeSet<u32> {
    let mut all = BTreeSet::from([pid]);
    let mut next = vec![pid];
    while let Some(pid) = next.pop() {
        next.extend(children(pid).into_iter().filter(|child| all.insert(*child)));
    }
    all
}

/// The name of a process's program; `None`: there is no such process, or only its exit status is left.
pub(crate) fn name(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
    (!rest.starts_with(" Z")).then(|| name.to_owned())
}

/// Waits until something is so.
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < GUARD, "{what} never came");
        std::thread::sleep(LOOK_EVERY);
    }
}
