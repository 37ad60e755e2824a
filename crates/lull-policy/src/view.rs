//! The rules as they are shown and changed, without a word of any language.

use lull_types::{Control, OrgRuleView, RuleSaid, RuleSource, RuleUnit, RuleValue, RuleView, Tier};

use crate::{
    APP_BYTES_MAX, APPS_MAX, CELSIUS_MAX, CELSIUS_MIN, DISK_GIB_MAX, Effective, Hours, IDLE_MINUTES_MAX,
    MEMORY_PERCENT_MAX, OTHER_CORES_MAX, OrgRow, Resolved, Row, Source, THREADS_MAX, WATTS_PER_THREAD_MAX,
};

/// The least that a number with a point can be set to, and its step.
const FRACTION: f64 = 0.1;

/// What is different from rule to rule.
struct Shape {
    control: Control,
    value: RuleValue,
    /// Whether there is anything stricter than what counts.
    stricter: bool,
}

impl Effective {
    /// Every rule in the order of the file, with how it is changed. Where the organisation holds a limit, the range
    /// ends there.
    #[must_use]
    pub fn views(&self) -> Vec<RuleView> {
        self.rows().into_iter().zip(self.shapes()).map(view).collect()
    }

    /// What only the organisation decides, in the order of the file.
    #[must_use]
    pub fn org_views(&self) -> Vec<OrgRuleView> {
        let said = |(source, said): &(Source, String)| RuleSaid { source: (*source).into(), said: said.clone() };
        let view = |row: &OrgRow| OrgRuleView {
            key: row.key.clone(),
            value: row.value.clone(),
            source: row.source.into(),
            said: row.overrode.iter().map(said).collect(),
        };
        self.org_rows.iter().map(view).collect()
    }

    /// In the order of [`Effective::rows`].
    fn shapes(&self) -> Vec<Shape> {
        // Without `..`, so that a new rule is missed here by the compiler.
        let Self {
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
            org: _,
            org_rows: _,
        } = self;
        vec![
            switch(enabled),
            number(
                idle_minutes.value.into(),
                (held(idle_minutes).unwrap_or(1).into(), IDLE_MINUTES_MAX.into()),
                RuleUnit::Minutes,
                false,
            ),
            switch(on_battery),
            switch(metered),
            week(hours),
            number(
                max_celsius.value.into(),
                (CELSIUS_MIN.into(), held(max_celsius).unwrap_or(CELSIUS_MAX).into()),
                RuleUnit::Celsius,
                !max_celsius.locked,
            ),
            cores(other_cores),
            switch(calls),
            switch(films),
            switch(full_screen),
            switch(remote),
            names(apps),
            number(
                threads.value.map_or(0.0, f64::from),
                (1.0, held(threads).flatten().unwrap_or(THREADS_MAX).into()),
                RuleUnit::Threads,
                !threads.locked,
            ),
            number(
                memory_percent.value.into(),
                (1.0, held(memory_percent).unwrap_or(MEMORY_PERCENT_MAX).into()),
                RuleUnit::Percent,
                false,
            ),
            number(
                disk_gib.value.into(),
                (1.0, held(disk_gib).unwrap_or(DISK_GIB_MAX).into()),
                RuleUnit::Gibibytes,
                false,
            ),
            // Nothing is stricter or looser here: where the organisation says it, it is said.
            Shape {
                stricter: false,
                ..number(watts_per_thread.value, (FRACTION, WATTS_PER_THREAD_MAX), RuleUnit::Watts, false)
            },
            choice(sandbox_tier),
        ]
    }
}

fn view((row, shape): (Row, Shape)) -> RuleView {
    let Row { table, key, source, locked, overrode, .. } = row;
    let Shape { control, value, stricter } = shape;
    // What Lull itself would have chosen is nobody's word.
    let said = overrode.into_iter().filter(|(who, _)| *who != Source::Default);
    RuleView {
        key: format!("{table}.{key}"),
        control,
        value,
        source: source.into(),
        locked,
        stricter: locked && stricter,
        said: said.map(|(who, said)| RuleSaid { source: who.into(), said }).collect(),
    }
}

impl From<Source> for RuleSource {
    fn from(source: Source) -> Self {
        match source {
            Source::Default => Self::Default,
            Source::Settings => Self::Settings,
            Source::Policy => Self::Policy,
            Source::Machine => Self::Organisation,
        }
    }
}

/// Where the organisation holds a rule.
fn held<T: Clone>(found: &Resolved<T>) -> Option<T> {
    found.locked.then(|| found.value.clone())
}

fn switch(found: &Resolved<bool>) -> Shape {
    Shape { control: Control::Switch, value: RuleValue::Switch(found.value), stricter: false }
}

/// 0 means no limit wherever a number may have none.
fn number(value: f64, (min, max): (f64, f64), unit: RuleUnit, no_limit: bool) -> Shape {
    let step = if matches!(unit, RuleUnit::Cores | RuleUnit::Watts) { FRACTION } else { 1.0 };
    let value = if value == 0.0 { RuleValue::NoLimit } else { RuleValue::Number(value) };
    Shape { control: Control::Number { min, max, step, unit, no_limit }, value, stricter: min < max }
}

fn cores(found: &Resolved<f64>) -> Shape {
    let max = held(found).unwrap_or(OTHER_CORES_MAX);
    number(found.value, (FRACTION.min(max), max), RuleUnit::Cores, !found.locked)
}

fn week(found: &Resolved<Hours>) -> Shape {
    let stricter = found.value != Hours::never();
    Shape { control: Control::Hours, value: RuleValue::Hours(found.value.texts()), stricter }
}

fn names(found: &Resolved<Vec<String>>) -> Shape {
    let control = Control::Names { count_max: APPS_MAX, bytes_max: APP_BYTES_MAX };
    Shape { control, value: RuleValue::Names(found.value.clone()), stricter: true }
}

fn choice(found: &Resolved<Tier>) -> Shape {
    let options: Vec<_> = Tier::ALL.into_iter().filter(|tier| !found.locked || *tier >= found.value).collect();
    Shape {
        stricter: options.len() > 1,
        control: Control::Choice { options: options.iter().map(|tier| tier.name().to_owned()).collect() },
        value: RuleValue::Choice(found.value.name().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Policy, Settings, resolve};

    fn found(settings: &str, machine: &str, key: &str) -> RuleView {
        let (settings, machine) = (Settings::parse("s", settings).unwrap(), Policy::parse("m", machine).unwrap());
        let views = resolve(Some(&settings), None, Some(&machine)).views();
        views.into_iter().find(|view| view.key == key).unwrap()
    }

    #[test]
    fn each_rule_is_shown_once_under_its_own_key() {
        let effective = resolve(None, None, None);
        let views = effective.views();
        let keys: Vec<String> = effective.rows().iter().map(|row| format!("{}.{}", row.table, row.key)).collect();
        assert_eq!(views.iter().map(|view| view.key.clone()).collect::<Vec<_>>(), keys);
        for (view, row) in views.iter().zip(effective.rows()) {
            let shown = match &view.value {
                RuleValue::Switch(on) => Some(on.to_string()),
                RuleValue::Number(number) => Some(number.to_string()),
                RuleValue::NoLimit => None,
                RuleValue::Hours(texts) | RuleValue::Names(texts) => Some(format!("{texts:?}")),
                RuleValue::Choice(name) => Some(format!("{name:?}")),
            };
            let row_value = row.value.filter(|value| value != "0").map(|value| value.trim_end_matches(".0").to_owned());
            assert_eq!(shown, row_value, "{}", view.key);
        }
    }

    #[test]
    fn a_limit_of_the_organisation_ends_the_range() {
        let view = found("[lend]\nidle_minutes = 2", "[lend]\nidle_minutes = 10", "lend.idle_minutes");
        assert_eq!((view.value, view.locked, view.stricter), (RuleValue::Number(10.0), true, true));
        assert!(matches!(view.control, Control::Number { min: 10.0, .. }), "{:?}", view.control);
        assert_eq!(view.said, [RuleSaid { source: RuleSource::Settings, said: "2".into() }]);

        let view = found("", "[lend]\nmax_celsius = 70", "lend.max_celsius");
        assert!(matches!(view.control, Control::Number { max: 70.0, no_limit: false, .. }), "{:?}", view.control);
        let view = found("", "[lend]\nthreads = 2", "lend.threads");
        assert!(matches!(view.control, Control::Number { max: 2.0, no_limit: false, .. }), "{:?}", view.control);
        let view = found("", "[sandbox]\ntier = \"full\"", "sandbox.tier");
        assert_eq!((view.control, view.stricter), (Control::Choice { options: vec!["full".into()] }, false));
    }

    #[test]
    fn what_is_free_has_its_whole_range() {
        let view = found("", "", "lend.threads");
        assert_eq!((view.value, view.source, view.locked), (RuleValue::NoLimit, RuleSource::Default, false));
        let view = found("[lend]\non_battery = true", "[lend]\non_battery = false", "lend.on_battery");
        assert_eq!(
            (view.value, view.source, view.stricter),
            (RuleValue::Switch(false), RuleSource::Organisation, false)
        );
        let view = found("[lend]\nwatts_per_thread = 3.5", "", "lend.watts_per_thread");
        assert_eq!((view.value, view.source), (RuleValue::Number(3.5), RuleSource::Settings));
    }
}
