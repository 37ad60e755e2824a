//! settings.toml and the organisation's rules: what is read is within its bounds, is shown as it was read, and the
//! organisation's word never loosens anything.
#![no_main]

use lull_fuzz::bounded;
use lull_policy::{
    APPS_MAX, Effective, IDLE_MINUTES_MAX, LendRules, MEMORY_PERCENT_MAX, Policy, Settings, resolve, set_enabled,
};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (own, org) = text.split_once('\0').unwrap_or((text, text));
    bounded(data.len(), || {
        let settings = Settings::parse("settings.toml", own).map_err(|error| assert!(error.line > 0)).ok();
        let rules = Policy::parse("policy.toml", org).map_err(|error| assert!(error.column > 0)).ok();
        if let Some(rules) = &rules {
            let canonical = rules.to_string();
            assert_eq!(Policy::parse("a", &canonical).as_ref(), Ok(rules), "shown otherwise than read");
            assert!(rules.org.all_labels().len() <= 64, "more labels than the scheduler has bits for");
            assert_eq!(rules.org.stricter(&rules.org).words(), rules.org.words(), "stricter than itself");
        }
        if let Some(settings) = &settings {
            assert_sound(&settings.lend);
            assert_eq!(Settings::parse("a", &settings.to_string()).as_ref(), Ok(settings), "shown otherwise than read");
            let agreed = set_enabled("a", own, true).expect("what can be read can be edited");
            let mut expected = settings.clone();
            expected.lend.enabled = Some(true);
            assert_eq!(Settings::parse("a", &agreed), Ok(expected), "an edit changed something else");
        }
        let own = resolve(settings.as_ref(), None, None);
        assert_stricter(&own, &resolve(settings.as_ref(), rules.as_ref(), None));
        assert_stricter(&own, &resolve(settings.as_ref(), None, rules.as_ref()));
    });
});

fn assert_sound(lend: &LendRules) {
    assert!(lend.idle_minutes.is_none_or(|minutes| (1..=IDLE_MINUTES_MAX).contains(&minutes)));
    assert!(lend.memory_percent.is_none_or(|percent| (1..=MEMORY_PERCENT_MAX).contains(&percent)));
    assert!(lend.other_cores.is_none_or(|cores| cores.is_finite() && cores >= 0.0));
    assert!(lend.apps.as_ref().is_none_or(|apps| apps.len() <= APPS_MAX));
}

fn assert_stricter(own: &Effective, both: &Effective) {
    assert!(own.enabled.value || !both.enabled.value);
    assert!(own.on_battery.value || !both.on_battery.value);
    assert!(own.metered.value || !both.metered.value);
    assert!(both.idle_minutes.value >= own.idle_minutes.value);
    assert!(both.memory_percent.value <= own.memory_percent.value);
    assert!(both.disk_gib.value <= own.disk_gib.value);
    assert!(both.calls.value || !own.calls.value);
    assert!(own.apps.value.iter().all(|app| both.apps.value.contains(app)));
    assert!(!both.to_string().is_empty() && both.rows().len() >= own.rows().len());
}
