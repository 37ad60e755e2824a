//! The sensors that run, and with what; new ones take their place when the rules want something else watched.

use std::{path::PathBuf, sync::Arc};

use lull_core::lending::Pace;
use lull_policy::Effective;
use lull_presence::{Config, Environment, Sink, Watch};
use lull_sandbox::Freezer;
use lull_types::Source;

/// Where sensors look; tests look elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Senses {
    /// Where the system's files are.
    pub root: PathBuf,
    /// The session's variables. `None`: this process's own.
    pub environment: Option<Environment>,
    /// How long nothing may have been touched before a person's hands count as still, in milliseconds.
    pub still_ms: u64,
}

impl Default for Senses {
    fn default() -> Self {
        let Config { root, still_ms, .. } = Config::default();
        Self { root, environment: None, still_ms }
    }
}

/// What a change of makes new sensors necessary.
#[derive(Debug, Clone, PartialEq)]
struct Wanted {
    apps: Vec<String>,
    hot_celsius: Option<u32>,
    other_cores_max: f32,
}

/// The sensors of this machine.
pub(crate) struct Sensors {
    senses: Senses,
    freezer: Arc<Freezer>,
    sink: Option<Sink>,
    running: Option<(Wanted, Watch)>,
}

impl Sensors {
    pub(crate) fn new(senses: Senses, freezer: Arc<Freezer>) -> Self {
        Self { senses, freezer, sink: None, running: None }
    }

    /// Where they will speak.
    pub(crate) fn listen_with(&mut self, sink: Sink) {
        self.sink = Some(sink);
    }

    /// Watches what these rules want watched, and says whether other sensors do so now; where nothing is heeded, nothing
    /// is watched.
    ///
    /// # Errors
    /// When the system gives no thread. Nothing is watched then, so nothing is known.
    pub(crate) fn follow(&mut self, rules: &Effective, heed: u32) -> std::io::Result<bool> {
        let Some(sink) = self.sink.as_ref().filter(|_| heed != 0) else {
            return Ok(self.running.take().is_some());
        };
        let wanted = Wanted {
            apps: rules.apps.value.clone(),
            hot_celsius: Some(u32::from(rules.max_celsius.value)).filter(|celsius| *celsius > 0),
            other_cores_max: rules.other_cores.value as f32,
        };
        if self.running.as_ref().is_some_and(|(running, _)| *running == wanted) {
            return Ok(false);
        }
        self.running = None;
        let watch = Watch::start(&self.config(&wanted), sink)?;
        self.running = Some((wanted, watch));
        Ok(true)
    }

    fn config(&self, wanted: &Wanted) -> Config {
        let Senses { root, environment, still_ms } = self.senses.clone();
        let (computed, pids) = (Arc::clone(&self.freezer), Arc::clone(&self.freezer));
        Config {
            apps: wanted.apps.clone(),
            hot_celsius: wanted.hot_celsius,
            other_cores_max: wanted.other_cores_max,
            own_cpu_us: Arc::new(move || computed.cpu_us()),
            own_pids: Arc::new(move || pids.pids()),
            environment: environment.unwrap_or_else(Environment::of_this_process),
            root,
            still_ms,
            on_thread: Some(Arc::new(lull_sandbox::hurry)),
        }
    }

    /// Who will be heard.
    pub(crate) fn sources(&self) -> &[Source] {
        self.running.as_ref().map_or(&[], |(_, watch)| watch.sources())
    }

    /// How closely they look.
    pub(crate) fn set_pace(&self, pace: Pace) {
        if let Some((_, watch)) = &self.running {
            watch.set_pace(match pace {
                Pace::Calm => lull_presence::Pace::Calm,
                Pace::Alert => lull_presence::Pace::Alert,
            });
        }
    }
}
