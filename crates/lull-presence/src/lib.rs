//! Watches a machine's owner and the machine itself, and says what it sees as one stream of observations.
//! It must never know what is done about them, nor send any of it anywhere.
//!
//! Every way of knowing runs as a task of its own. It says its word when it changes and again at every beat, after
//! having made sure that it still sees; a source that cannot see says [`Reading::Unknown`], and one that hangs says
//! nothing, which the listener must take for the same.

mod config;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;
mod supervise;
#[cfg(target_os = "macos")]
#[path = "system_macos.rs"]
mod system;
#[cfg(windows)]
#[path = "system_windows.rs"]
mod system;
mod voice;

use std::sync::Arc;

use lull_types::{Observation, Source};
use tokio::sync::watch;

pub use config::{Config, Environment, Pace};

/// Where observations go: called on a sensor's own thread, so it must be quick and must not block.
pub type Sink = Arc<dyn Fn(Observation) + Send + Sync>;

/// Running sensors. Dropping it stops them.
#[derive(Debug)]
pub struct Watch {
    sources: Vec<Source>,
    pace: watch::Sender<Pace>,
    _threads: Vec<supervise::Thread>,
}

impl Watch {
    /// Starts every sensor that this system has.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(config: &Config, sink: &Sink) -> std::io::Result<Self> {
        let (pace, paced) = watch::channel(Pace::Alert);
        let plan = system::sensors(&Arc::new(config.clone()));
        let sources = plan.iter().flat_map(|sensor| sensor.sources.iter().copied()).collect();
        let threads = supervise::start(plan, config, sink, &paced)?;
        Ok(Self { sources, pace, _threads: threads })
    }

    /// Who will be heard: until each of them has spoken, something is unknown.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// How closely to look from now on.
    pub fn set_pace(&self, pace: Pace) {
        self.pace.send_if_modified(|now| std::mem::replace(now, pace) != pace);
    }
}
