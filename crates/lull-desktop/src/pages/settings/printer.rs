use lull_policy::{
    APP_BYTES_MAX, APPS_MAX, CELSIUS_MAX, CELSIUS_MIN, DISK_GIB_MAX, Hours, IDLE_MINUTES_MAX, MEMORY_PERCENT_MAX,
    OTHER_CORES_MAX, Resolved, THREADS_MAX, WATTS_PER_THREAD_MAX,
};
use lull_types::Tier;

use super::{Control, Lock, Setting, Source, Unit, Value};
use crate::{Lang, clock, hours, reason, words};

/// The least that a number with a point can be set to, and its step.
const FRACTION_MIN: f64 = 0.1;

/// Title and help of a rule.
pub(super) type Texts = (fn(Lang) -> &'static str, fn(Lang) -> &'static str);

/// What is different from rule to rule.
struct Shape {
    control: Control,
    value: Value,
    shown: String,
    /// Whether there is anything stricter than what the organisation holds.
    stricter: bool,
}

pub(super) struct Printer<'a> {
    pub(super) lang: Lang,
    pub(super) org: &'a str,
}

impl Printer<'_> {
    pub(super) fn switch(&self, key: &'static str, texts: Texts, found: &Resolved<bool>) -> Setting {
        let shown = self.on_off(found.value).to_owned();
        let shape = Shape { control: Control::Switch, value: Value::Switch(found.value), shown, stricter: false };
        self.setting(key, texts, found, shape)
    }

    pub(super) fn idle(&self, found: &Resolved<u16>) -> Setting {
        let min = if found.locked { found.value } else { 1 };
        let range = (f64::from(min), f64::from(IDLE_MINUTES_MAX));
        let shape = self.number(found.value.into(), range, Unit::Minutes, None);
        self.setting("lend.idle_minutes", (words::set_idle, words::set_idle_help), found, shape)
    }

    pub(super) fn celsius(&self, found: &Resolved<u16>) -> Setting {
        let max = if found.locked { found.value } else { CELSIUS_MAX };
        let no_limit = (!found.locked).then(|| words::value_do_not_look(self.lang));
        let shape = self.number(found.value.into(), (CELSIUS_MIN.into(), max.into()), Unit::Celsius, no_limit);
        self.setting("lend.max_celsius", (words::set_celsius, words::set_celsius_help), found, shape)
    }

    pub(super) fn cores(&self, found: &Resolved<f64>) -> Setting {
        let max = if found.locked { found.value } else { OTHER_CORES_MAX };
        let no_limit = (!found.locked).then(|| words::value_do_not_look(self.lang));
        let shape = self.number(found.value, (FRACTION_MIN.min(max), max), Unit::Cores, no_limit);
        self.setting("lend.other_cores", (words::set_cores, words::set_cores_help), found, shape)
    }

    pub(super) fn threads(&self, found: &Resolved<Option<u16>>) -> Setting {
        let max = found.value.filter(|_| found.locked).unwrap_or(THREADS_MAX);
        let no_limit = (!found.locked).then(|| words::value_as_fits(self.lang));
        let value = found.value.map_or(0.0, f64::from);
        let mut shape = self.number(value, (1.0, max.into()), Unit::Threads, no_limit);
        if found.value.is_none() {
            shape.shown = words::value_as_fits(self.lang).into();
        }
        self.setting("lend.threads", (words::set_threads, words::set_threads_help), found, shape)
    }

    pub(super) fn memory(&self, found: &Resolved<u16>) -> Setting {
        let max = if found.locked { found.value } else { MEMORY_PERCENT_MAX };
        let shape = self.number(found.value.into(), (1.0, max.into()), Unit::Percent, None);
        self.setting("lend.memory_percent", (words::set_memory, words::set_memory_help), found, shape)
    }

    pub(super) fn disk(&self, found: &Resolved<u32>) -> Setting {
        let max = if found.locked { found.value } else { DISK_GIB_MAX };
        let shape = self.number(found.value.into(), (1.0, max.into()), Unit::Gibibytes, None);
        self.setting("lend.disk_gib", (words::set_disk, words::set_disk_help), found, shape)
    }

    /// Nothing is stricter or looser here: where the organisation says it, it is said.
    pub(super) fn watts(&self, found: &Resolved<f64>) -> Setting {
        let mut shape = self.number(found.value, (FRACTION_MIN, WATTS_PER_THREAD_MAX), Unit::Watts, None);
        shape.stricter = false;
        self.setting("lend.watts_per_thread", (words::set_watts, words::set_watts_help), found, shape)
    }

    pub(super) fn hours(&self, found: &Resolved<Hours>) -> Setting {
        let stricter = found.value != Hours::never();
        let (value, shown) = (Value::Hours(found.value.texts()), hours::shown(self.lang, &found.value));
        let shape = Shape { control: Control::Hours, value, shown, stricter };
        self.setting("lend.hours", (words::set_hours, words::set_hours_help), found, shape)
    }

    pub(super) fn apps(&self, found: &Resolved<Vec<String>>) -> Setting {
        let names: Vec<String> = found.value.iter().map(|name| reason::foreign(name)).collect();
        let shown = if names.is_empty() { words::value_no_apps(self.lang).into() } else { names.join(", ") };
        let control = Control::Names { count_max: APPS_MAX, bytes_max: APP_BYTES_MAX };
        let shape = Shape { control, value: Value::Names(found.value.clone()), shown, stricter: true };
        self.setting("lend.apps", (words::set_apps, words::set_apps_help), found, shape)
    }

    pub(super) fn tier(&self, found: &Resolved<Tier>) -> Setting {
        let words = |tier: Tier| match tier {
            Tier::Basic => words::value_basic(self.lang),
            Tier::Full => words::value_full(self.lang),
        };
        let options: Vec<_> = Tier::ALL.into_iter().filter(|tier| !found.locked || *tier >= found.value).collect();
        let shape = Shape {
            stricter: options.len() > 1,
            control: Control::Choice { options: options.iter().map(|tier| (tier.name(), words(*tier))).collect() },
            value: Value::Choice(found.value.name()),
            shown: words(found.value).into(),
        };
        self.setting("sandbox.tier", (words::set_tier, words::set_tier_help), found, shape)
    }

    /// 0 means no limit wherever a number may have none.
    fn number(&self, value: f64, (min, max): (f64, f64), unit: Unit, no_limit: Option<&'static str>) -> Shape {
        let step = if matches!(unit, Unit::Cores | Unit::Watts) { FRACTION_MIN } else { 1.0 };
        let unlimited = value == 0.0;
        let shown = if unlimited { words::value_do_not_look(self.lang).into() } else { self.unit(value, unit) };
        let value = if unlimited { Value::NoLimit } else { Value::Number(value) };
        Shape { control: Control::Number { min, max, step, unit, no_limit }, value, shown, stricter: min < max }
    }

    fn unit(&self, value: f64, unit: Unit) -> String {
        let lang = self.lang;
        let number = clock::decimal(lang, value, usize::from(value.fract() != 0.0));
        match unit {
            Unit::Minutes => words::minutes(lang, number),
            Unit::Celsius => words::unit_degrees(lang, number),
            Unit::Cores => words::unit_cores(lang, number),
            Unit::Threads => words::unit_threads(lang, number),
            Unit::Percent => words::unit_percent(lang, number),
            Unit::Gibibytes => words::unit_gib(lang, number),
            Unit::Watts => words::unit_watts(lang, number),
        }
    }

    fn setting<T>(&self, key: &'static str, (title, help): Texts, found: &Resolved<T>, shape: Shape) -> Setting {
        let Shape { control, value, shown, stricter } = shape;
        let lang = self.lang;
        let lock = found.locked.then(|| Lock {
            by: self.organisation(),
            why: if stricter { words::lock_stricter(lang) } else { words::lock_fixed(lang) },
            stricter,
        });
        let (source, source_words) = self.source(found.source);
        let said = found.overrode.iter().filter_map(|(who, said)| self.said(*who, said)).collect();
        Setting { key, title: title(lang), help: help(lang), control, value, shown, source, source_words, lock, said }
    }

    fn organisation(&self) -> String {
        let name = reason::foreign(self.org);
        if name.is_empty() { words::your_organisation(self.lang).into() } else { name }
    }

    fn source(&self, source: lull_policy::Source) -> (Source, String) {
        let lang = self.lang;
        match source {
            lull_policy::Source::Default => (Source::Default, words::source_default(lang).into()),
            lull_policy::Source::Settings => (Source::Settings, words::source_settings(lang).into()),
            lull_policy::Source::Machine => {
                (Source::Organisation, words::source_organisation(lang, self.organisation()))
            }
        }
    }

    /// What somebody said and does not count; what Lull itself would have chosen is nobody's word.
    fn said(&self, who: lull_policy::Source, toml: &str) -> Option<String> {
        let value = match toml {
            "true" => self.on_off(true).to_owned(),
            "false" => self.on_off(false).to_owned(),
            other => reason::foreign(other),
        };
        match who {
            lull_policy::Source::Default => None,
            lull_policy::Source::Settings => Some(words::said_by_you(self.lang, value)),
            lull_policy::Source::Machine => Some(words::said_by_organisation(self.lang, value)),
        }
    }

    const fn on_off(&self, on: bool) -> &'static str {
        if on { words::value_on(self.lang) } else { words::value_off(self.lang) }
    }
}
