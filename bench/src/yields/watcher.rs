//! The path under test: the real sensor, the real freezer, and between them what a node puts there.

use std::{
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use lull_presence::{Config, Sink, Watch};
use lull_sandbox::Freezer;
use lull_types::{Observation, Reading, Source};

use super::{clock::now_ns, screen::Screen};

/// For how long nobody must have touched anything before the next trial can begin, in milliseconds: a node waits for a
/// second, which would only make this bench longer.
const STILL_MS: u64 = 100;
/// How long the sensor may take to say that nobody is there; it looks by itself every 400 ms.
const CLEAR_MAX: Duration = Duration::from_secs(10);
/// How long the sensor may take to notice an input before the bench freezes the worker itself.
const FREEZE_MAX: Duration = Duration::from_secs(1);

/// Watches a screen and freezes when somebody touches it.
pub(super) struct Watcher {
    brake: Arc<Brake>,
    _watch: Watch,
}

/// When it was seen, and when the freeze had been ordered, in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stopped {
    /// Whether it was the sensor who did it.
    pub(super) noticed: bool,
    pub(super) seen_ns: u64,
    pub(super) frozen_ns: u64,
}

struct Brake {
    freezer: Arc<Freezer>,
    armed: AtomicBool,
    clear: AtomicBool,
    seen_ns: AtomicU64,
    frozen_ns: AtomicU64,
    turn: Mutex<()>,
    turned: Condvar,
}

impl Brake {
    /// As the node's own: freeze first.
    fn see(&self, observation: &Observation) {
        if observation.source != Source::X11Idle {
            return;
        }
        if observation.reading.forbids() && self.armed.swap(false, SeqCst) {
            self.stop();
        }
        self.clear.store(matches!(observation.reading, Reading::Clear { .. }), SeqCst);
        drop(self.turn.lock().unwrap_or_else(PoisonError::into_inner));
        self.turned.notify_all();
    }

    fn stop(&self) {
        self.seen_ns.store(now_ns(), SeqCst);
        self.freezer.freeze();
        self.frozen_ns.store(now_ns(), SeqCst);
    }

    fn wait(&self, until: impl Fn() -> bool, at_most: Duration) -> bool {
        let began = Instant::now();
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        while !until() {
            let left = at_most.saturating_sub(began.elapsed());
            if left.is_zero() {
                return false;
            }
            turn = self.turned.wait_timeout(turn, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl Watcher {
    pub(super) fn start(screen: &Screen, freezer: &Arc<Freezer>) -> Result<Self> {
        let brake = Arc::new(Brake {
            freezer: Arc::clone(freezer),
            armed: AtomicBool::new(false),
            clear: AtomicBool::new(false),
            seen_ns: AtomicU64::new(0),
            frozen_ns: AtomicU64::new(0),
            turn: Mutex::new(()),
            turned: Condvar::new(),
        });
        let seeing = Arc::clone(&brake);
        let sink: Sink = Arc::new(move |observation| seeing.see(&observation));
        let config = config(screen, STILL_MS);
        Ok(Self { brake, _watch: Watch::start(&config, &sink)? })
    }

    /// Waits until the sensor says that nobody is there.
    pub(super) fn wait_until_clear(&self) -> Result<()> {
        let clear = self.brake.wait(|| self.brake.clear.load(SeqCst), CLEAR_MAX);
        ensure!(clear, "the X11 sensor has not said for {CLEAR_MAX:?} that nobody is there");
        Ok(())
    }

    /// The next touch freezes.
    pub(super) fn arm(&self) {
        self.brake.frozen_ns.store(0, SeqCst);
        self.brake.armed.store(true, SeqCst);
    }

    /// Waits until the touch has frozen; freezes itself when the sensor does not notice.
    pub(super) fn wait_until_frozen(&self) -> Stopped {
        let noticed = self.brake.wait(|| self.brake.frozen_ns.load(SeqCst) > 0, FREEZE_MAX);
        if !noticed && self.brake.armed.swap(false, SeqCst) {
            self.brake.stop();
        }
        Stopped { noticed, seen_ns: self.brake.seen_ns.load(SeqCst), frozen_ns: self.brake.frozen_ns.load(SeqCst) }
    }
}

/// Sensors that see this screen and nothing else of a session, on threads as a node has them.
pub(super) fn config(screen: &Screen, still_ms: u64) -> Config {
    Config {
        environment: screen.environment(),
        on_thread: Some(Arc::new(lull_sandbox::hurry)),
        still_ms,
        ..Config::default()
    }
}
