//! What follows from both files. The stricter word counts, whoever said it.

use std::fmt;

use lull_types::Tier;
use toml_edit::{Array, Value};

use crate::{
    Hours, MachineRules, Settings,
    rules::{DISK_GIB_MAX, KEYS, LendRules, MEMORY_PERCENT_MAX, SANDBOX_KEYS},
};

/// Who said a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Nobody: Lull's own choice.
    Default,
    /// The person, in their settings.
    Settings,
    /// The organisation, in the machine's rules.
    Machine,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::Settings => "settings",
            Self::Machine => "organisation",
        })
    }
}

/// A value that counts, and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved<T> {
    /// The value.
    pub value: T,
    /// Whose word it is. Where both words together made it (hours, apps), the organisation's.
    pub source: Source,
    /// Whether the organisation's word holds it where it is: the person cannot make it any looser.
    pub locked: bool,
    /// What else was said and does not stand as it was said, as TOML.
    pub overrode: Vec<(Source, String)>,
}

/// Every rule for lending as it counts on this machine. [`LendRules`] and [`crate::SandboxRules`] say what each is.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each is documented in LendRules or SandboxRules, under the same name")]
pub struct Effective {
    pub enabled: Resolved<bool>,
    pub idle_minutes: Resolved<u16>,
    pub on_battery: Resolved<bool>,
    pub metered: Resolved<bool>,
    pub hours: Resolved<Hours>,
    pub max_celsius: Resolved<u16>,
    pub other_cores: Resolved<f64>,
    pub calls: Resolved<bool>,
    pub films: Resolved<bool>,
    pub full_screen: Resolved<bool>,
    pub remote: Resolved<bool>,
    pub apps: Resolved<Vec<String>>,
    pub threads: Resolved<Option<u16>>,
    pub memory_percent: Resolved<u16>,
    pub disk_gib: Resolved<u32>,
    pub watts_per_thread: Resolved<f64>,
    pub sandbox_tier: Resolved<Tier>,
}

/// One rule, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its table, such as `lend`.
    pub table: &'static str,
    /// Its key in that table.
    pub key: &'static str,
    /// Its value as TOML; `None`: it is not set.
    pub value: Option<String>,
    /// Whose word it is.
    pub source: Source,
    /// Whether the person cannot make it any looser.
    pub locked: bool,
    /// What else was said.
    pub overrode: Vec<(Source, String)>,
}

/// What counts: the person's word, else Lull's default, and where the organisation's is stricter, that.
///
/// A rule of the organisation never loosens anything: `enabled = true` there lends no machine whose owner has not
/// agreed. `watts_per_thread` decides nothing; the organisation's word, which may know its machines, goes first.
#[must_use]
pub fn resolve(settings: Option<&Settings>, machine: Option<&MachineRules>) -> Effective {
    let silent = LendRules::default();
    let own = settings.map_or(&silent, |settings| &settings.lend);
    let org = machine.map_or(&silent, |machine| &machine.lend);
    let own_tier = settings.and_then(|settings| settings.sandbox.tier);
    let org_tier = machine.and_then(|machine| machine.sandbox.tier);
    let agree = |own: Option<bool>, org: Option<bool>| settle(own, org, false, true, |a, b| *a && *b);
    let stop = |own: Option<bool>, org: Option<bool>| settle(own, org, true, false, |a, b| *a || *b);
    Effective {
        enabled: agree(own.enabled, org.enabled),
        idle_minutes: settle(own.idle_minutes, org.idle_minutes, 5, 1, |a, b| *a.max(b)),
        on_battery: agree(own.on_battery, org.on_battery),
        metered: agree(own.metered, org.metered),
        hours: settle(own.hours.clone(), org.hours.clone(), Hours::always(), Hours::always(), Hours::intersect),
        max_celsius: settle(own.max_celsius, org.max_celsius, 80, 0, lower_unless_off),
        other_cores: settle(own.other_cores, org.other_cores, 0.6, 0.0, lower_unless_off),
        calls: stop(own.calls, org.calls),
        films: stop(own.films, org.films),
        full_screen: stop(own.full_screen, org.full_screen),
        remote: stop(own.remote, org.remote),
        apps: settle(own.apps.clone(), org.apps.clone(), Vec::new(), Vec::new(), union),
        threads: settle(own.threads.map(Some), org.threads.map(Some), None, None, fewer),
        memory_percent: settle(own.memory_percent, org.memory_percent, 50, MEMORY_PERCENT_MAX, |a, b| *a.min(b)),
        disk_gib: settle(own.disk_gib, org.disk_gib, 50, DISK_GIB_MAX, |a, b| *a.min(b)),
        watts_per_thread: settle(own.watts_per_thread, org.watts_per_thread, 6.0, f64::INFINITY, |_, org| *org),
        sandbox_tier: settle(own_tier, org_tier, Tier::Basic, Tier::Basic, |a, b| *a.max(b)),
    }
}

fn settle<T: Clone + PartialEq + AsToml>(
    own: Option<T>,
    org: Option<T>,
    default: T,
    loosest: T,
    stricter: impl Fn(&T, &T) -> T,
) -> Resolved<T> {
    let source = if own.is_some() { Source::Settings } else { Source::Default };
    let own = own.unwrap_or(default);
    let Some(org) = org else {
        return Resolved { value: own, source, locked: false, overrode: Vec::new() };
    };
    let value = stricter(&own, &org);
    let said = |source, said: &T| (*said != value).then(|| (source, said.shown().unwrap_or_else(|| "unset".into())));
    let overrode = [said(source, &own), said(Source::Machine, &org)].into_iter().flatten().collect();
    let locked = value == org && org != loosest;
    let source = if locked || value != own { Source::Machine } else { source };
    Resolved { value, source, locked, overrode }
}

/// The lower of two limits, of which 0 means none.
fn lower_unless_off<T: Copy + PartialOrd + Default>(a: &T, b: &T) -> T {
    let off = T::default();
    if *a == off || *b != off && b < a { *b } else { *a }
}

fn fewer(a: &Option<u16>, b: &Option<u16>) -> Option<u16> {
    (*a).into_iter().chain(*b).min()
}

/// All names of both; where one list holds the other it stays as it was written.
#[expect(clippy::ptr_arg, reason = "takes what `settle` has")]
fn union(a: &Vec<String>, b: &Vec<String>) -> Vec<String> {
    if a.iter().all(|app| b.contains(app)) {
        return b.clone();
    }
    a.iter().chain(b.iter().filter(|app| !a.contains(app))).cloned().collect()
}

impl Effective {
    /// Every rule in the order of the file, table by table.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        let [k0, k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12, k13, k14, k15] = KEYS;
        vec![
            row(k0, &self.enabled),
            row(k1, &self.idle_minutes),
            row(k2, &self.on_battery),
            row(k3, &self.metered),
            row(k4, &self.hours),
            row(k5, &self.max_celsius),
            row(k6, &self.other_cores),
            row(k7, &self.calls),
            row(k8, &self.films),
            row(k9, &self.full_screen),
            row(k10, &self.remote),
            row(k11, &self.apps),
            row(k12, &self.threads),
            row(k13, &self.memory_percent),
            row(k14, &self.disk_gib),
            row(k15, &self.watts_per_thread),
            Row { table: "sandbox", ..row(SANDBOX_KEYS[0], &self.sandbox_tier) },
        ]
    }
}

fn row<T: AsToml>(key: &'static str, found: &Resolved<T>) -> Row {
    let Resolved { value, source, locked, overrode } = found;
    Row { table: "lend", key, value: value.shown(), source: *source, locked: *locked, overrode: overrode.clone() }
}

/// As TOML, each line with whose word it is. It reads back as settings, unless two long lists of apps make one that is
/// longer than a file may have.
impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table_before = "";
        for Row { table, key, value, source, locked, overrode } in self.rows() {
            if table != table_before {
                writeln!(f, "{}[{table}]", if table_before.is_empty() { "" } else { "\n" })?;
                table_before = table;
            }
            match value {
                Some(value) => write!(f, "{key} = {value}  # {source}")?,
                None => write!(f, "# {key} is not set  # {source}")?,
            }
            if locked {
                f.write_str(", locked")?;
            }
            for (source, said) in overrode {
                write!(f, "; {source} said {said}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// What can be shown as the value of a key, on one line.
trait AsToml {
    /// `None`: not set.
    fn shown(&self) -> Option<String>;
}

impl AsToml for bool {
    fn shown(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl AsToml for u16 {
    fn shown(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl AsToml for u32 {
    fn shown(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl AsToml for f64 {
    fn shown(&self) -> Option<String> {
        Some(Value::from(*self).to_string())
    }
}

impl AsToml for Tier {
    fn shown(&self) -> Option<String> {
        Some(Value::from(self.name()).to_string())
    }
}

impl AsToml for Option<u16> {
    fn shown(&self) -> Option<String> {
        self.map(|number| number.to_string())
    }
}

impl AsToml for Vec<String> {
    fn shown(&self) -> Option<String> {
        Some(Value::from(self.iter().collect::<Array>()).to_string())
    }
}

impl AsToml for Hours {
    fn shown(&self) -> Option<String> {
        self.texts().shown()
    }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
