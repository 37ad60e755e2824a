mod printer;

use lull_policy::Effective;
use serde::Serialize;

use crate::{Lang, words};
use printer::Printer;

/// Every lending rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SettingsPage {
    /// In the order of the page.
    pub sections: Vec<Section>,
}

/// Rules that belong together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Section {
    /// Its heading.
    pub title: &'static str,
    /// Its rules.
    pub settings: Vec<Setting>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    /// Table and key, as in the settings file: `lend.idle_minutes`.
    pub key: &'static str,
    /// What it is called.
    pub title: &'static str,
    /// What it does.
    pub help: &'static str,
    /// How it is changed.
    pub control: Control,
    /// What counts now.
    pub value: Value,
    /// The same in words, with its unit.
    pub shown: String,
    /// Whose word it is.
    pub source: Source,
    /// The same in words.
    pub source_words: String,
    /// Who holds it where it is, if somebody does.
    pub lock: Option<Lock>,
    /// What else was said and does not count, in words.
    pub said: Vec<String>,
}

/// How a rule is changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
        unit: Unit,
        /// What it is called to have no limit, where that may be chosen.
        no_limit: Option<&'static str>,
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
        /// Value and words.
        options: Vec<(&'static str, &'static str)>,
    },
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "units")]
pub enum Unit {
    Minutes,
    Celsius,
    Cores,
    Threads,
    Percent,
    Gibibytes,
    Watts,
}

/// What a rule says now.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "value", content = "is", rename_all = "snake_case")]
pub enum Value {
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
    Choice(&'static str),
}

/// Whose word counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Nobody's: Lull's own choice.
    Default,
    /// The person's.
    Settings,
    /// The organisation's.
    Organisation,
}

/// Who holds a rule where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lock {
    /// Whose word it is.
    pub by: String,
    /// What that means.
    pub why: &'static str,
    /// Whether the person may still choose something stricter; otherwise the control is disabled.
    pub stricter: bool,
}

/// The page from what counts on this machine; `org` is the organisation's name, empty where there is none.
#[must_use]
pub fn settings(lang: Lang, effective: &Effective, org: &str) -> SettingsPage {
    // Without `..`, so that a new rule is missed here by the compiler.
    let Effective {
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
        sandbox_tier,
    } = effective;
    let p = Printer { lang, org };
    let section = |title, settings| Section { title, settings };
    let when = vec![
        p.switch("lend.enabled", (words::set_enabled, words::set_enabled_help), enabled),
        p.idle(idle_minutes),
        p.hours(hours),
        p.switch("lend.on_battery", (words::set_battery, words::set_battery_help), on_battery),
        p.switch("lend.metered", (words::set_metered, words::set_metered_help), metered),
    ];
    let stops = vec![
        p.switch("lend.calls", (words::set_calls, words::set_calls_help), calls),
        p.switch("lend.films", (words::set_films, words::set_films_help), films),
        p.switch("lend.full_screen", (words::set_full_screen, words::set_full_screen_help), full_screen),
        p.switch("lend.remote", (words::set_remote, words::set_remote_help), remote),
        p.apps(apps),
        p.cores(other_cores),
        p.celsius(max_celsius),
    ];
    let limits = vec![p.threads(threads), p.memory(memory_percent), p.disk(disk_gib), p.watts(watts_per_thread)];
    SettingsPage {
        sections: vec![
            section(words::section_when(lang), when),
            section(words::section_stops(lang), stops),
            section(words::section_limits(lang), limits),
            section(words::section_safety(lang), vec![p.tier(sandbox_tier)]),
        ],
    }
}
