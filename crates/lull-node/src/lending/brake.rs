//! The way from a sensor to the workers: nothing slow may ever stand on it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use lull_presence::Sink;
use lull_sandbox::Freezer;
use lull_types::Observation;
use tokio::sync::mpsc;

/// Observations that may wait for the lending machine. Sources repeat themselves, so this is seconds' worth.
const WAITING_MAX: usize = 1_024;

/// What stands between the sensors and the lending machine.
#[derive(Debug)]
pub(crate) struct Brake {
    /// The signals whose onset freezes the workers at once, as a mask.
    armed: AtomicU32,
    /// An observation was lost: whatever was believed is not known any more.
    lost: AtomicBool,
    freezer: Arc<Freezer>,
}

impl Brake {
    pub(crate) fn new(freezer: Arc<Freezer>) -> Arc<Self> {
        Arc::new(Self { armed: AtomicU32::new(0), lost: AtomicBool::new(false), freezer })
    }

    /// Which signals freeze at once from now on.
    pub(crate) fn arm(&self, mask: u32) {
        self.armed.store(mask, Ordering::Release);
    }

    /// Whether an observation was lost since the last call.
    pub(crate) fn has_lost_some(&self) -> bool {
        self.lost.swap(false, Ordering::AcqRel)
    }

    /// Where the sensors speak, and where the lending machine hears them.
    pub(crate) fn sink(self: &Arc<Self>) -> (Sink, mpsc::Receiver<Observation>) {
        let (sender, heard) = mpsc::channel(WAITING_MAX);
        let brake = Arc::clone(self);
        let sink = move |observation: Observation| {
            brake.see(&observation);
            if let Err(mpsc::error::TrySendError::Full(_)) = sender.try_send(observation) {
                brake.lost.store(true, Ordering::Release);
            }
        };
        (Arc::new(sink), heard)
    }

    /// First freeze, then think: what turns out to be nothing is thawed by the lending machine.
    fn see(&self, observation: &Observation) {
        let matters = self.armed.load(Ordering::Acquire) & observation.source.signal().bit() != 0;
        if matters && observation.reading.forbids() {
            self.freezer.freeze();
        }
    }
}
