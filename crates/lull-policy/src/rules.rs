use std::fmt;

use lull_types::Tier;
use toml_edit::{Array, DocumentMut, Item, Table, Value};

use crate::{Hours, OrgRules, PolicyError, read, read::Author};

/// The longest wait for its owner to stay away, in minutes.
pub const IDLE_MINUTES_MAX: u16 = 24 * 60;
/// The lowest temperature that can be asked for, in degrees Celsius: below it no machine would ever lend.
pub const CELSIUS_MIN: u16 = 40;
/// The highest temperature that can be asked for, in degrees Celsius: processors stop themselves around there.
pub const CELSIUS_MAX: u16 = 105;
/// The most processor cores that other programs may be allowed.
pub const OTHER_CORES_MAX: f64 = 1_024.0;
/// The most named programs in one file.
pub const APPS_MAX: usize = 64;
/// The longest name of a program, in bytes.
pub const APP_BYTES_MAX: usize = 64;
/// The most processor threads for workers.
pub const THREADS_MAX: u16 = 1_024;
/// The largest share of physical memory for workers, in percent: the system needs the rest.
pub const MEMORY_PERCENT_MAX: u16 = 90;
/// The most disk for models, in GiB.
pub const DISK_GIB_MAX: u32 = 1_000_000;
/// The highest estimate of the power of one busy processor thread, in watts.
pub const WATTS_PER_THREAD_MAX: f64 = 1_000.0;

/// What a person chose: `settings.toml` in their `LULL_HOME`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    /// The table `[lend]`.
    pub lend: LendRules,
    /// The table `[sandbox]`.
    pub sandbox: SandboxRules,
}

/// What the organisation decided: a signed document that the relay hands to every machine, or a file that only a
/// machine's administrator can write.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Policy {
    /// The table `[lend]`.
    pub lend: LendRules,
    /// The table `[sandbox]`.
    pub sandbox: SandboxRules,
    /// All other tables.
    pub org: OrgRules,
}

/// The table `[sandbox]` as one file has it; `None`: the file does not say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SandboxRules {
    /// How well a worker must be confined at least; without that no job runs.
    pub tier: Option<Tier>,
}

/// The table `[lend]` as one file has it; `None`: the file does not say.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LendRules {
    /// Whether to lend at all. Of a person: whether they agreed. Of the organisation: `false` forbids, `true` forces
    /// nothing.
    pub enabled: Option<bool>,
    /// How long its owner must have been away, in minutes, 1 to [`IDLE_MINUTES_MAX`].
    pub idle_minutes: Option<u16>,
    /// Whether to lend on battery, too.
    pub on_battery: Option<bool>,
    /// Whether to lend on a network that is paid for by the byte, too.
    pub metered: Option<bool>,
    /// In which hours.
    pub hours: Option<Hours>,
    /// At how many degrees Celsius to stop, [`CELSIUS_MIN`] to [`CELSIUS_MAX`]; 0: do not look.
    pub max_celsius: Option<u16>,
    /// How many processor cores other programs may be using, up to [`OTHER_CORES_MAX`]; 0: do not look.
    pub other_cores: Option<f64>,
    /// Whether to stop for a microphone or camera in use.
    pub calls: Option<bool>,
    /// Whether to stop for programs that keep the screen on.
    pub films: Option<bool>,
    /// Whether to stop for a window that fills the screen.
    pub full_screen: Option<bool>,
    /// Whether to stop for someone logged in from elsewhere.
    pub remote: Option<bool>,
    /// Programs to stop for, by name: at most [`APPS_MAX`], each of at most [`APP_BYTES_MAX`] bytes.
    pub apps: Option<Vec<String>>,
    /// The most processor threads for all workers together, 1 to [`THREADS_MAX`].
    pub threads: Option<u16>,
    /// The most memory for all workers together, in percent of the machine's own, 1 to [`MEMORY_PERCENT_MAX`].
    pub memory_percent: Option<u16>,
    /// The most disk for models, in GiB, 1 to [`DISK_GIB_MAX`].
    pub disk_gib: Option<u32>,
    /// The power of one busy processor thread, in watts, up to [`WATTS_PER_THREAD_MAX`]: an estimate, from which the
    /// log's energy is estimated. Nothing is decided by it.
    pub watts_per_thread: Option<f64>,
}

impl Settings {
    /// Reads a person's file; `file` is its name in errors.
    ///
    /// # Errors
    /// [`PolicyError`]: the first thing in it that cannot be followed. Nothing of the file counts then.
    pub fn parse(file: &str, text: &str) -> Result<Self, PolicyError> {
        let Policy { lend, sandbox, .. } = read::tables(file, text, Author::Person)?;
        Ok(Self { lend, sandbox })
    }
}

impl Policy {
    /// Reads the organisation's file; `file` is its name in errors.
    ///
    /// # Errors
    /// [`PolicyError`]: the first thing in it that cannot be followed. Nothing of the file counts then.
    pub fn parse(file: &str, text: &str) -> Result<Self, PolicyError> {
        read::tables(file, text, Author::Organisation)
    }
}

impl LendRules {
    /// What the file says, in the order of [`KEYS`].
    pub(crate) fn values(&self) -> impl Iterator<Item = (&'static str, Value)> {
        let list = |texts: Vec<String>| Value::from(texts.into_iter().collect::<Array>());
        let values = [
            self.enabled.map(Value::from),
            self.idle_minutes.map(whole),
            self.on_battery.map(Value::from),
            self.metered.map(Value::from),
            self.hours.as_ref().map(|hours| list(hours.texts())),
            self.max_celsius.map(whole),
            self.other_cores.map(Value::from),
            self.calls.map(Value::from),
            self.films.map(Value::from),
            self.full_screen.map(Value::from),
            self.remote.map(Value::from),
            self.apps.clone().map(list),
            self.threads.map(whole),
            self.memory_percent.map(whole),
            self.disk_gib.map(whole),
            self.watts_per_thread.map(Value::from),
        ];
        KEYS.into_iter().zip(values).filter_map(|(key, value)| Some((key, value?)))
    }
}

/// The keys of `[sandbox]`.
pub(crate) const SANDBOX_KEYS: [&str; 1] = ["tier"];

/// The keys of `[lend]`.
pub(crate) const KEYS: [&str; 16] = [
    "enabled",
    "idle_minutes",
    "on_battery",
    "metered",
    "hours",
    "max_celsius",
    "other_cores",
    "calls",
    "films",
    "full_screen",
    "remote",
    "apps",
    "threads",
    "memory_percent",
    "disk_gib",
    "watts_per_thread",
];

fn whole(number: impl Into<i64>) -> Value {
    Value::from(number.into())
}

/// Both tables as TOML that reads back to the same; a table that says nothing is left out, `[lend]` is not.
fn document(lend: &LendRules, sandbox: &SandboxRules) -> DocumentMut {
    let table: Table = lend.values().map(|(key, value)| (key, Item::Value(value))).collect();
    let mut document = DocumentMut::new();
    document.insert("lend", Item::Table(table));
    if let Some(tier) = sandbox.tier {
        let tier = (SANDBOX_KEYS[0], Item::Value(Value::from(tier.name())));
        document.insert("sandbox", Item::Table(Table::from_iter([tier])));
    }
    document
}

/// As TOML that reads back to the same.
impl fmt::Display for LendRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        document(self, &SandboxRules::default()).fmt(f)
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        document(&self.lend, &self.sandbox).fmt(f)
    }
}

/// The canonical form: the same rules are the same text, whoever wrote them and however.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut document = document(&self.lend, &self.sandbox);
        self.org.write(&mut document);
        document.fmt(f)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::{option, prelude::*};

    use super::*;
    use crate::hours::tests::any_hours;

    /// Any table that a file could hold, with up to so many apps.
    pub(crate) fn any_rules(apps_max: usize) -> impl Strategy<Value = LendRules> {
        let flag = || option::of(any::<bool>());
        let celsius = prop_oneof![1 => Just(0), 4 => CELSIUS_MIN..=CELSIUS_MAX];
        let cores = prop_oneof![1 => Just(0.0), 4 => 0.01..=OTHER_CORES_MAX];
        let apps = prop::collection::btree_set("[ -~äß\"'\\\\]{1,16}", 0..=apps_max)
            .prop_map(|apps| apps.into_iter().filter(|app| app.trim() == app).collect::<Vec<_>>());
        let watching = (flag(), option::of(1..=IDLE_MINUTES_MAX), flag(), flag(), option::of(any_hours()));
        let limits = (option::of(celsius), option::of(cores), option::of(apps), option::of(1..=THREADS_MAX));
        let stops = (flag(), flag(), flag(), flag());
        let sizes = (option::of(1..=MEMORY_PERCENT_MAX), option::of(1..=DISK_GIB_MAX), option::of(0.1..=200.0));
        (watching, limits, stops, sizes).prop_map(|(watching, limits, stops, sizes)| {
            let (enabled, idle_minutes, on_battery, metered, hours) = watching;
            let (max_celsius, other_cores, apps, threads) = limits;
            let (calls, films, full_screen, remote) = stops;
            let (memory_percent, disk_gib, watts_per_thread) = sizes;
            LendRules {
                enabled,
                idle_minutes,
                on_battery,
                metered,
                hours,
                max_celsius,
                other_cores,
                calls,
                films,
                full_screen,
                remote,
                apps,
                threads,
                memory_percent,
                disk_gib,
                watts_per_thread,
            }
        })
    }

    pub(crate) fn any_sandbox() -> impl Strategy<Value = SandboxRules> {
        option::of(prop::sample::select(Tier::ALL.to_vec())).prop_map(|tier| SandboxRules { tier })
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(lend in any_rules(APPS_MAX), sandbox in any_sandbox()) {
            let settings = Settings { lend, sandbox };
            prop_assert_eq!(Settings::parse("a", &settings.to_string()).unwrap(), settings);
        }
    }
}
