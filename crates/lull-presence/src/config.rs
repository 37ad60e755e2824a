use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc, time::Duration};

/// What sensors need to know. A change takes a new [`crate::Watch`].
#[derive(Clone)]
pub struct Config {
    /// Names of programs whose running counts as use, lower case, without path or ending.
    pub apps: Vec<String>,
    /// Too warm from here on, in degrees Celsius; cool again 5 below it. `None`: temperature is not looked at.
    pub hot_celsius: Option<u32>,
    /// What other programs may compute, in processor cores.
    pub other_cores_max: f32,
    /// Processor time of Lull's own workers since they began, in microseconds: not counted as other programs' work.
    pub own_cpu_us: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Process ids of Lull's own workers: not counted as others on the graphics processor.
    pub own_pids: Arc<dyn Fn() -> Vec<u32> + Send + Sync>,
    /// For how long nobody must have touched anything before a counter of idle time counts as clear, in milliseconds.
    /// Benches make it shorter.
    pub still_ms: u64,
    /// What the session says about itself.
    pub environment: Environment,
    /// Where the system's files (`/proc`, `/sys`, `/dev`) are looked for. Tests put their own there; `/` otherwise.
    pub root: PathBuf,
    /// Called first on each sensor thread, so that it can ask the system for quick wake-ups.
    pub on_thread: Option<Arc<dyn Fn() + Send + Sync>>,
}

/// The environment variables that lead to a person's session; those not set are not there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment(pub BTreeMap<String, String>);

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pace {
    /// While nothing is lent and nothing soon will be: whatever has to be polled is polled rarely, for the battery's
    /// sake; events still come at once.
    Calm,
    /// While lending, and shortly before.
    Alert,
}

impl Pace {
    /// The time between two beats of a source.
    #[must_use]
    pub const fn beat(self) -> Duration {
        match self {
            Self::Calm => Duration::from_secs(5),
            Self::Alert => Duration::from_millis(400),
        }
    }
}

impl Environment {
    /// The names of the variables that matter.
    pub const NAMES: [&str; 8] = [
        "HOME",
        "DISPLAY",
        "XAUTHORITY",
        "WAYLAND_DISPLAY",
        "XDG_RUNTIME_DIR",
        "XDG_SESSION_ID",
        "DBUS_SESSION_BUS_ADDRESS",
        "DBUS_SYSTEM_BUS_ADDRESS",
    ];

    /// As this process has it.
    #[must_use]
    pub fn of_this_process() -> Self {
        let set = |name: &str| Some((name.to_owned(), std::env::var(name).ok().filter(|value| !value.is_empty())?));
        Self(Self::NAMES.into_iter().filter_map(set).collect())
    }

    /// A variable's value, if it is set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            apps: Vec::new(),
            hot_celsius: None,
            other_cores_max: 0.6,
            own_cpu_us: Arc::new(|| 0),
            own_pids: Arc::new(Vec::new),
            still_ms: 1_000,
            environment: Environment::of_this_process(),
            root: PathBuf::from("/"),
            on_thread: None,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("apps", &self.apps)
            .field("hot_celsius", &self.hot_celsius)
            .field("other_cores_max", &self.other_cores_max)
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}
