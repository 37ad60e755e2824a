//! A machine's rules as they are shown and changed: language-free, so that every screen puts its own words to them.

use serde::{Deserialize, Serialize};

use crate::{Label, Tier};

/// Every rule that counts on this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct RulesView {
    /// In the order of the settings file.
    pub rules: Vec<RuleView>,
    /// What only the organisation decides.
    pub org: Vec<OrgRuleView>,
    /// Every label, and what this machine has to do with it; empty where no node runs that would know.
    pub labels: Vec<LabelView>,
    /// The organisation's signed policy, if it has one that counts.
    pub policy: Option<PolicyView>,
    /// The person's own file.
    pub settings_file: String,
    /// Where the organisation's rules for this machine are, if there are any.
    pub machine_file: Option<String>,
    /// Why the files cannot be followed; nothing is lent then, and `rules` are the last that could be, or defaults.
    pub broken: Option<String>,
}

/// The organisation's signed policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct PolicyView {
    /// Its version.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub version: u64,
    /// When it was signed, in seconds since 1970.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub issued_unix_s: u64,
    /// When it ends, in seconds since 1970: nothing is lent after that until a newer one comes.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub until_unix_s: u64,
}

/// One thing that only the organisation decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct OrgRuleView {
    /// Table and key, as in a policy: `labels.confidential.lenders`.
    pub key: String,
    /// What counts, as TOML.
    pub value: String,
    /// Whose word that is.
    pub source: RuleSource,
    /// What else was said and does not count.
    pub said: Vec<RuleSaid>,
}

/// A label, and what this machine has to do with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct LabelView {
    /// Its name.
    pub label: Label,
    /// Jobs with it may run here; where they may not, `why` says why.
    pub runs_here: bool,
    /// The rule that keeps them away; empty where none does.
    pub why: String,
    /// Questions with it may be sent from here.
    pub may_send: bool,
    /// The groups that may send one; `None`: all.
    pub askers: Option<Vec<String>>,
    /// The groups whose machines may see one; `None`: all.
    pub lenders: Option<Vec<String>>,
    /// The sites whose machines may see one; `None`: all.
    pub sites: Option<Vec<String>>,
    /// How well workers must be confined for it at least.
    pub tier: Option<Tier>,
    /// Only machines that nobody sits at may see one.
    pub dedicated: bool,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct RuleView {
    /// Table and key, as in the settings file: `lend.idle_minutes`.
    pub key: String,
    /// How it is changed.
    pub control: Control,
    /// What counts now.
    pub value: RuleValue,
    /// Whose word that is.
    pub source: RuleSource,
    /// Whether the organisation holds it where it is.
    pub locked: bool,
    /// Whether the person may, where it is locked, still choose something stricter.
    pub stricter: bool,
    /// What else was said and does not count.
    pub said: Vec<RuleSaid>,
}

/// How a rule is changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "control", rename_all = "snake_case")]
pub enum Control {
    /// On or off.
    Switch,
    /// A number. Where the organisation holds a limit, the range ends there.
    Number {
        /// The least.
        min: f64,
        /// The most.
        max: f64,
        /// From one to the next.
        step: f64,
        /// Of what.
        unit: RuleUnit,
        /// Whether it may also be without a limit: [`RuleValue::NoLimit`].
        no_limit: bool,
    },
    /// Weekly windows, written as in the settings file.
    Hours,
    /// A list of programs' names.
    Names {
        /// The most names.
        count_max: usize,
        /// The longest name, in bytes.
        bytes_max: usize,
    },
    /// One of several, the weakest first.
    Choice {
        /// As in the settings file.
        options: Vec<String>,
    },
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "units")]
pub enum RuleUnit {
    Minutes,
    Celsius,
    Cores,
    Threads,
    Percent,
    Gibibytes,
    Watts,
}

/// What a rule says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "value", content = "is", rename_all = "snake_case")]
pub enum RuleValue {
    /// Of [`Control::Switch`].
    Switch(bool),
    /// Of [`Control::Number`].
    Number(f64),
    /// Of [`Control::Number`]: no limit.
    NoLimit,
    /// Of [`Control::Hours`]; empty: always.
    Hours(Vec<String>),
    /// Of [`Control::Names`].
    Names(Vec<String>),
    /// Of [`Control::Choice`].
    Choice(String),
}

/// Whose word counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum RuleSource {
    /// Nobody's: Lull's own choice.
    Default,
    /// The person's.
    Settings,
    /// The organisation's, in its signed policy.
    Policy,
    /// The organisation's, in this machine's own file.
    Organisation,
}

/// A word that does not count as it was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct RuleSaid {
    /// Whose.
    pub source: RuleSource,
    /// As TOML.
    pub said: String,
}
