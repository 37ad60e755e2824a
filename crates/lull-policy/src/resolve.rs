//! What follows from all words together. The stricter one counts, whoever said it.

use std::fmt;

use lull_types::Tier;
use toml_edit::{Array, Value};

use crate::{
    Hours, OrgRules, Policy, Settings,
    rules::{DISK_GIB_MAX, KEYS, LendRules, MEMORY_PERCENT_MAX, SANDBOX_KEYS},
};

/// Who said a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Nobody: Lull's own choice.
    Default,
    /// The person, in their settings.
    Settings,
    /// The organisation, in its signed policy.
    Policy,
    /// The organisation, in this machine's own file.
    Machine,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::Settings => "settings",
            Self::Policy => "policy",
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
#[expect(missing_docs, reason = "each is documented in LendRules, SandboxRules or Policy, under the same name")]
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
    pub org: OrgRules,
    pub org_rows: Vec<OrgRow>,
}

/// One thing that only an organisation decides, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrgRow {
    /// Table and key: `labels.confidential.lenders`.
    pub key: String,
    /// What counts, as TOML.
    pub value: String,
    /// Whose word it is; where both words together made it, the machine's.
    pub source: Source,
    /// What else was said.
    pub overrode: Vec<(Source, String)>,
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
pub fn resolve(settings: Option<&Settings>, policy: Option<&Policy>, machine: Option<&Policy>) -> Effective {
    let (silent, nothing) = (LendRules::default(), Policy::default());
    let own = settings.map_or(&silent, |settings| &settings.lend);
    let (policy, machine) = (policy.unwrap_or(&nothing), machine.unwrap_or(&nothing));
    let own_tier = settings.and_then(|settings| settings.sandbox.tier);
    macro_rules! words {
        ($key:ident) => {
            Words { own: own.$key.clone(), policy: policy.lend.$key.clone(), machine: machine.lend.$key.clone() }
        };
    }
    let agree = |words: Words<bool>| settle(words, false, true, |a, b| *a && *b);
    let stop = |words: Words<bool>| settle(words, true, false, |a, b| *a || *b);
    let threads = Words {
        own: own.threads.map(Some),
        policy: policy.lend.threads.map(Some),
        machine: machine.lend.threads.map(Some),
    };
    let tiers = Words { own: own_tier, policy: policy.sandbox.tier, machine: machine.sandbox.tier };
    let org = policy.org.stricter(&machine.org);
    Effective {
        enabled: agree(words!(enabled)),
        idle_minutes: settle(words!(idle_minutes), 5, 1, |a, b| *a.max(b)),
        on_battery: agree(words!(on_battery)),
        metered: agree(words!(metered)),
        hours: settle(words!(hours), Hours::always(), Hours::always(), Hours::intersect),
        max_celsius: settle(words!(max_celsius), 80, 0, lower_unless_off),
        other_cores: settle(words!(other_cores), 0.6, 0.0, lower_unless_off),
        calls: stop(words!(calls)),
        films: stop(words!(films)),
        full_screen: stop(words!(full_screen)),
        remote: stop(words!(remote)),
        apps: settle(words!(apps), Vec::new(), Vec::new(), union),
        threads: settle(threads, None, None, fewer),
        memory_percent: settle(words!(memory_percent), 50, MEMORY_PERCENT_MAX, |a, b| *a.min(b)),
        disk_gib: settle(words!(disk_gib), 50, DISK_GIB_MAX, |a, b| *a.min(b)),
        watts_per_thread: settle(words!(watts_per_thread), 6.0, f64::INFINITY, |_, org| *org),
        sandbox_tier: settle(tiers, Tier::Basic, Tier::Basic, |a, b| *a.max(b)),
        org_rows: org_rows(&org, &policy.org, &machine.org),
        org,
    }
}

/// What each said about one rule.
struct Words<T> {
    own: Option<T>,
    policy: Option<T>,
    machine: Option<T>,
}

fn settle<T: Clone + PartialEq + AsToml>(
    words: Words<T>,
    default: T,
    loosest: T,
    stricter: impl Fn(&T, &T) -> T,
) -> Resolved<T> {
    let Words { own, policy, machine } = words;
    let source = if own.is_some() { Source::Settings } else { Source::Default };
    let own = own.unwrap_or(default);
    let org = match (&policy, &machine) {
        (None, None) => return Resolved { value: own, source, locked: false, overrode: Vec::new() },
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (Some(policy), Some(machine)) => stricter(policy, machine),
    };
    // Where both say the same, the one that everybody has is named.
    let org_source = if policy.as_ref() == Some(&org) { Source::Policy } else { Source::Machine };
    let value = stricter(&own, &org);
    let said = |source, said: &T| (*said != value).then(|| (source, said.shown().unwrap_or_else(|| "unset".into())));
    let policy = policy.and_then(|policy| said(Source::Policy, &policy));
    let machine = machine.and_then(|machine| said(Source::Machine, &machine));
    let overrode = [said(source, &own), policy, machine].into_iter().flatten().collect();
    let locked = value == org && org != loosest;
    let source = if locked || value != own { org_source } else { source };
    Resolved { value, source, locked, overrode }
}

fn org_rows(both: &OrgRules, policy: &OrgRules, machine: &OrgRules) -> Vec<OrgRow> {
    let (policy, machine) = (policy.words(), machine.words());
    let said = |words: &[(String, String)], key: &str| {
        words.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone())
    };
    let row = |(key, value): (String, String)| {
        let (policy, machine) = (said(&policy, &key), said(&machine, &key));
        let source = if policy.as_ref() == Some(&value) { Source::Policy } else { Source::Machine };
        let words = [(Source::Policy, policy), (Source::Machine, machine)];
        let overrode = words.into_iter().filter_map(|(who, said)| Some((who, said.filter(|said| *said != value)?)));
        OrgRow { overrode: overrode.collect(), key, value, source }
    };
    both.words().into_iter().map(row).collect()
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
