//! One person's desk, and the pool that borrows its machine.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use lull_node::{NodeApi as _, RemoteNode};
use lull_tests::{Enrolled, Node, NodeRole, Org, Relay, children, long_question};
use lull_types::{LendingView, Reason, Request, Response, Signal, StatusView};
use tempfile::TempDir;
use tokio::{runtime::Runtime, task::JoinHandle};

use crate::{
    stage::{Bus, GUARD, Screen},
    stand_ins::{GnomeSession, Logind, NetworkManager, UPower},
};

/// Lending begins so long after the last touch here: people wait five minutes.
const IDLE: Duration = Duration::from_millis(1_200);
/// Lending begins at most so often here: people's machines wait three minutes.
const SETTLE: Duration = Duration::from_millis(1_500);
/// A yield is decided after so long here: five seconds with people.
pub(crate) const GRACE: Duration = Duration::from_millis(2_500);
/// Input that lasts no longer is a bump here: two seconds with people.
const BUMP: Duration = Duration::from_millis(1_000);

/// How soon a source that tells by itself must have stopped the work.
pub(crate) const AT_ONCE: Duration = Duration::from_millis(100);
/// How soon one that must be asked must have.
pub(crate) const WHEN_ASKED: Duration = Duration::from_secs(1);

/// How soon the reason must be shown: a second after the work must have stopped, and what this test waits itself.
pub(crate) const TOLD_MAX: Duration = Duration::from_millis(2_500);

/// What all threads of a worker may be on a processor for after that, in nanoseconds: each enters the frozen state once,
/// for microseconds in the kernel, and beside busier programs its turn may come late. None of its own work is done then.
const ENTRY_MAX_NS: u64 = 1_000_000;

/// Everything around one lending machine.
pub(crate) struct Desk {
    /// What the screen's own server shows, where the desk has one.
    pub(crate) screen: Option<Screen>,
    _session_bus: Bus,
    pub(crate) system_bus: Bus,
    pub(crate) logind: Logind,
    pub(crate) power: UPower,
    pub(crate) network: NetworkManager,
    pub(crate) session: GnomeSession,
    /// Where its sensors find the system's files.
    pub(crate) root: TempDir,
    pub(crate) lender: Node,
    launch: Launch,
    pub(crate) asker: Node,
    pub(crate) runtime: Runtime,
    _relay: Relay,
    pub(crate) org: Org,
}

impl Desk {
    /// A desk with an X server, whose person agreed to lend with these further settings.
    pub(crate) fn new(settings: &str) -> Self {
        Self::at(settings, &[])
    }

    /// The same, where the lender's node finds this in its environment, too.
    pub(crate) fn at(settings: &str, environment: &[(&'static str, String)]) -> Self {
        let screen = Screen::start();
        let mut environment = environment.to_vec();
        environment.push(("DISPLAY", screen.display().to_owned()));
        let mut desk = Self::with(settings, &environment, Bus::start());
        desk.screen = Some(screen);
        desk
    }

    /// A desk whose screen and session bus are somewhere else.
    pub(crate) fn with(settings: &str, screen: &[(&'static str, String)], session_bus: Bus) -> Self {
        let system_bus = Bus::start();
        let logind = Logind::start(system_bus.address());
        logind.log_in("1", rustix::process::getuid().as_raw(), false, true);
        let power = UPower::start(system_bus.address());
        let network = NetworkManager::start(system_bus.address());
        let session = GnomeSession::start(session_bus.address());
        let root = machine();
        let org = Org::create("Acme").unwrap();
        let relay = org.relay().unwrap();
        let enrolled = org.enroll("desk").unwrap();
        let settings = format!("[lend]\nenabled = true\n{settings}");
        fs::write(enrolled.home.join("settings.toml"), settings).unwrap();
        let ms = |time: Duration| time.as_millis().to_string();
        let args = [
            ("--senses-root", root.path().display().to_string()),
            ("--machine-rules", rules(root.path()).display().to_string()),
            ("--idle-ms", ms(IDLE)),
            ("--settle-ms", ms(SETTLE)),
            ("--grace-ms", ms(GRACE)),
            ("--bump-ms", ms(BUMP)),
        ];
        let runtime_dir = root.path().join("run");
        let mut environment = vec![
            ("DBUS_SESSION_BUS_ADDRESS", session_bus.address().to_owned()),
            ("DBUS_SYSTEM_BUS_ADDRESS", system_bus.address().to_owned()),
            ("XDG_RUNTIME_DIR", runtime_dir.display().to_string()),
            ("XDG_SESSION_ID", "1".to_owned()),
        ];
        environment.extend(screen.iter().map(|(name, value)| (*name, value.clone())));
        let launch = Launch { enrolled, environment, args: args.to_vec() };
        let lender = launch.start(&org);
        let asker = org.node("asker", NodeRole::Submitter).unwrap();
        Self {
            screen: None,
            _session_bus: session_bus,
            system_bus,
            logind,
            power,
            network,
            session,
            root,
            lender,
            launch,
            asker,
            runtime: Runtime::new().unwrap(),
            _relay: relay,
            org,
        }
    }

    /// The lender's node is killed and started again.
    pub(crate) fn restart_lender(&mut self) {
        self.lender.process.kill().unwrap();
        self.lender = self.launch.start(&self.org);
    }

    /// Where the organisation's rules for this machine are.
    pub(crate) fn rules(&self) -> PathBuf {
        rules(self.root.path())
    }

    /// Writes one of the system's files.
    pub(crate) fn put(&self, path: &str, contents: &str) {
        put(self.root.path(), path, contents);
    }

    pub(crate) fn status(&self) -> StatusView {
        let asked = async { RemoteNode::connect(&self.lender.home).await?.call(Request::Status).await };
        let Response::Status(status) = self.runtime.block_on(asked).unwrap() else { panic!("no status") };
        *status
    }

    /// Waits until what is shown is so.
    pub(crate) fn until(&self, what: &str, so: impl Fn(&LendingView) -> bool) -> LendingView {
        let began = Instant::now();
        loop {
            let shown = self.status().lending;
            assert!(!shown.words().is_empty(), "a state without a reason: {shown:?}");
            if so(&shown) {
                return shown;
            }
            assert!(began.elapsed() < 2 * GUARD, "{what} never came; now: {shown:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn until_it_lends(&self) {
        self.until("lending", |shown| matches!(shown, LendingView::Lending { .. }));
    }

    /// Nothing else is shown meanwhile.
    pub(crate) fn keeps_lending_for(&self, time: Duration) {
        let began = Instant::now();
        while began.elapsed() < time {
            let shown = self.status().lending;
            assert!(matches!(shown, LendingView::Lending { .. }), "{shown:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The worker, in the middle of computing.
    pub(crate) fn busy_worker(&self) -> Work {
        let began = Instant::now();
        loop {
            if let [pid] = children(self.lender.process.pid())[..] {
                let work = Work { pid };
                let before = work.cpu_ns();
                std::thread::sleep(Duration::from_millis(30));
                if work.cpu_ns() > before + 5_000_000 {
                    return work;
                }
            }
            assert!(began.elapsed() < 2 * GUARD, "no worker computes: {:?}", self.status());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Something happens while the worker computes: it stops within the bound, and the reason is shown within a second.
    pub(crate) fn stops_for(&self, signal: Signal, within: Duration, onset: impl FnOnce()) {
        self.stops_for_one_of(&[signal], within, onset);
    }

    /// The same, where several signals are gone at once and any of them may be named first.
    pub(crate) fn stops_for_one_of(&self, signals: &[Signal], within: Duration, onset: impl FnOnce()) {
        self.until_it_lends();
        let work = self.busy_worker();
        let at = Instant::now();
        onset();
        let late = work.stands_still(&format!("{signals:?}"), at, within);
        let shown = self.until("the reason", |shown| signals.iter().any(|signal| is_about(shown, *signal)));
        let told = at.elapsed();
        assert!(told < TOLD_MAX, "{signals:?}: the reason came after {told:?}");
        println!("{signals:?}: still within {late:?}, told after at most {told:?}: {}", shown.words());
    }
}

/// How the lender's node is started.
struct Launch {
    enrolled: Enrolled,
    environment: Vec<(&'static str, String)>,
    args: Vec<(&'static str, String)>,
}

impl Launch {
    fn start(&self, org: &Org) -> Node {
        let further = |command: &mut Command| {
            for name in ["DISPLAY", "XAUTHORITY", "WAYLAND_DISPLAY"] {
                command.env_remove(name);
            }
            command.envs(self.environment.iter().map(|(name, value)| (name, value)));
            command.args(self.args.iter().flat_map(|(name, value)| [*name, value]));
        };
        org.start_with(&self.enrolled, further).unwrap()
    }
}

/// Whether a signal is given as the reason.
pub(crate) fn is_about(shown: &LendingView, wanted: Signal) -> bool {
    let (LendingView::Waiting { reason, .. } | LendingView::Yielding { reason, .. }) = shown else { return false };
    matches!(reason, Reason::InUse { signal, .. } | Reason::Unknown { signal, .. } if *signal == wanted)
}

/// A worker process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) pid: u32,
}

impl Work {
    /// What all its threads have computed, in nanoseconds, as the scheduler counts it; what has ended counts no more.
    pub(crate) fn cpu_ns(self) -> u64 {
        let Ok(threads) = fs::read_dir(format!("/proc/{}/task", self.pid)) else { return 0 };
        let ran = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("schedstat")).ok();
        let first = |text: String| text.split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
        threads.flatten().filter_map(ran).filter_map(first).sum()
    }

    /// It computes no more when this time has passed since the onset; when that was looked at.
    pub(crate) fn stands_still(self, what: &str, onset: Instant, within: Duration) -> Duration {
        std::thread::sleep((onset + within).saturating_duration_since(Instant::now()));
        let (late, before) = (onset.elapsed(), self.cpu_ns());
        std::thread::sleep(Duration::from_millis(400));
        let more = self.cpu_ns().saturating_sub(before);
        assert!(more < ENTRY_MAX_NS, "{what}: the worker computed for {more} ns more than {late:?} after the onset");
        late
    }

    /// Waits until the process is no more.
    pub(crate) fn until_gone(self) {
        let began = Instant::now();
        while self.lives() {
            assert!(began.elapsed() < GUARD, "the worker is still there");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn lives(self) -> bool {
        Path::new("/proc").join(self.pid.to_string()).exists()
    }
}

/// Somebody who asks one long question after the other, until this is dropped.
pub(crate) struct Asking(JoinHandle<()>);

impl Asking {
    pub(crate) fn begin(desk: &Desk) -> Self {
        let home = desk.asker.home.clone();
        Self(desk.runtime.spawn(async move {
            loop {
                let Ok(node) = RemoteNode::connect(&home).await else { return };
                let Ok(mut chat) = node.chat(long_question("What is Lull?", 1_900)).await else { return };
                while chat.next().await.is_some() {}
            }
        }))
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn rules(root: &Path) -> PathBuf {
    root.join("etc/policy.toml")
}

/// A machine on mains, cool, with a silent microphone; its processor and memory are this one's.
fn machine() -> TempDir {
    let root = crate::stage::folder();
    let files = [
        ("sys/class/thermal/thermal_zone0/type", "x86_pkg_temp\n"),
        ("sys/class/thermal/thermal_zone0/temp", "45000\n"),
        ("sys/class/power_supply/AC/type", "Mains\n"),
        ("sys/class/power_supply/AC/online", "1\n"),
        ("sys/class/power_supply/BAT0/type", "Battery\n"),
        ("sys/class/power_supply/BAT0/status", "Charging\n"),
        ("proc/asound/card0/pcm0c/sub0/status", "closed\n"),
        ("proc/loadavg", "0.00 0.00 0.00 1/100 4000\n"),
        ("proc/1/comm", "systemd\n"),
        ("proc/1/cmdline", "/sbin/init\0"),
        ("dev/snd/pcmC0D0c", ""),
        ("run/.keep", ""),
        ("etc/.keep", ""),
    ];
    files.iter().for_each(|(path, contents)| put(root.path(), path, contents));
    for real in ["stat", "meminfo", "pressure"] {
        symlink(Path::new("/proc").join(real), root.path().join("proc").join(real)).unwrap();
    }
    root
}

fn put(root: &Path, path: &str, contents: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, contents).unwrap();
}
