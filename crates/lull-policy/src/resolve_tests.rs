use proptest::{option, prelude::*};

use super::*;
use crate::{
    APPS_MAX, SandboxRules,
    rules::tests::{any_rules, any_sandbox},
};

fn both(own: &str, org: &str) -> Effective {
    let own = Settings::parse("settings.toml", &format!("[lend]\n{own}")).unwrap();
    let org = Policy::parse("policy.toml", &format!("[lend]\n{org}")).unwrap();
    resolve(Some(&own), None, Some(&org))
}

fn settings(lend: LendRules, sandbox: SandboxRules) -> Settings {
    Settings { lend, sandbox }
}

fn machine(lend: LendRules, sandbox: SandboxRules) -> Policy {
    Policy { lend, sandbox, ..Policy::default() }
}

#[test]
fn nobody_having_spoken_nothing_is_lent() {
    let effective = resolve(None, None, None);
    let expected = "[lend]\nenabled = false  # default\nidle_minutes = 5  # default\non_battery = false  # default\n\
                    metered = false  # default\nhours = []  # default\nmax_celsius = 80  # default\n\
                    other_cores = 0.6  # default\ncalls = true  # default\nfilms = true  # default\n\
                    full_screen = true  # default\nremote = true  # default\napps = []  # default\n\
                    # threads is not set  # default\nmemory_percent = 50  # default\ndisk_gib = 50  # default\n\
                    watts_per_thread = 6.0  # default\n\n[sandbox]\ntier = \"basic\"  # default\n";
    assert_eq!(effective.to_string(), expected);
    assert_eq!(resolve(Some(&Settings::default()), None, Some(&Policy::default())), effective);
}

#[test]
fn the_organisation_forbids_but_does_not_force() {
    let enabled = |own: &str, org: &str| both(own, org).enabled;
    assert!(!enabled("", "enabled = true").value, "nobody agreed");
    assert_eq!(enabled("", "enabled = true").source, Source::Default);
    assert!(enabled("enabled = true", "enabled = true").value);
    assert!(!enabled("enabled = true", "enabled = true").locked, "the person may stop it");
    let forbidden = enabled("enabled = true", "enabled = false");
    let overrode = vec![(Source::Settings, "true".to_owned())];
    assert_eq!(forbidden, Resolved { value: false, source: Source::Machine, locked: true, overrode });
    assert_eq!(enabled("", "enabled = false").source, Source::Machine, "also when nobody was asked");
}

#[test]
fn the_stricter_word_counts_and_says_whose_it_is() {
    let own = "idle_minutes = 20\nmax_celsius = 0\nthreads = 8\nmemory_percent = 20\ncalls = false\non_battery = true";
    let org = "idle_minutes = 10\nmax_celsius = 90\nthreads = 4\nmemory_percent = 60\ncalls = true\non_battery = true";
    let found = both(own, org);
    let told = |source, text: &str| vec![(source, text.to_owned())];
    let idle = Resolved { value: 20, source: Source::Settings, locked: false, overrode: told(Source::Machine, "10") };
    assert_eq!(found.idle_minutes, idle);
    let heat = Resolved { value: 90, source: Source::Machine, locked: true, overrode: told(Source::Settings, "0") };
    assert_eq!(found.max_celsius, heat);
    assert_eq!((found.threads.value, found.threads.locked), (Some(4), true));
    assert_eq!((found.memory_percent.value, found.memory_percent.source), (20, Source::Settings));
    assert_eq!((found.calls.value, found.calls.locked), (true, true));
    assert_eq!((found.on_battery.value, found.on_battery.locked), (true, false));
}

#[test]
fn a_default_is_as_good_as_a_word() {
    let found = both("", "max_celsius = 0\non_battery = true\nidle_minutes = 1\ndisk_gib = 900");
    assert_eq!((found.max_celsius.value, found.max_celsius.source), (80, Source::Default));
    assert_eq!((found.on_battery.value, found.idle_minutes.value, found.disk_gib.value), (false, 5, 50));
    let same = both("", "idle_minutes = 5").idle_minutes;
    assert_eq!((same.source, same.locked), (Source::Machine, true));
}

#[test]
fn hours_meet_and_apps_add_up() {
    let found = both(
        "hours = [\"Mon-Fri 18:00-08:00\"]\napps = [\"a\", \"b\"]",
        "hours = [\"06:00-20:00\"]\napps = [\"b\", \"c\"]",
    );
    assert_eq!(found.hours.value.texts(), ["Mon-Fri 18:00-20:00", "Tue-Sat 06:00-08:00"]);
    assert_eq!((found.hours.source, found.hours.locked, found.hours.overrode.len()), (Source::Machine, false, 2));
    assert_eq!(found.apps.value, ["a", "b", "c"]);
    let never = both("hours = [\"Sat-Sun\"]", "hours = [\"Mon-Fri\"]");
    assert!(never.to_string().contains("hours = [\"never\"]  # organisation; settings said"), "{never}");
}

#[test]
fn the_stricter_tier_counts_whoever_asks_for_it() {
    let tier = |own: &str, org: &str| both(&format!("[sandbox]\n{own}"), &format!("[sandbox]\n{org}")).sandbox_tier;
    let found = |value, source, locked, overrode| Resolved { value, source, locked, overrode };
    let said = |source, text: &str| vec![(source, text.to_owned())];
    assert_eq!(tier("", ""), found(Tier::Basic, Source::Default, false, vec![]));
    assert_eq!(tier("tier = \"full\"", ""), found(Tier::Full, Source::Settings, false, vec![]));
    let org_is_stricter = found(Tier::Full, Source::Machine, true, said(Source::Settings, "\"basic\""));
    assert_eq!(tier("tier = \"basic\"", "tier = \"full\""), org_is_stricter);
    let person_is_stricter = found(Tier::Full, Source::Settings, false, said(Source::Machine, "\"basic\""));
    assert_eq!(tier("tier = \"full\"", "tier = \"basic\""), person_is_stricter);
}

#[test]
fn an_estimate_is_the_organisations_first() {
    let watts = both("watts_per_thread = 3", "watts_per_thread = 9").watts_per_thread;
    assert_eq!((watts.value, watts.source, watts.locked), (9.0, Source::Machine, true));
}

/// What `strict` allows that `loose` does not; empty where it is at least as strict.
fn looser(strict: &Effective, loose: &Effective) -> Vec<&'static str> {
    let above = |limit: f64, than: f64| than != 0.0 && (limit == 0.0 || limit > than);
    let (s, l) = (strict, loose);
    let minutes = || (0..7).flat_map(|day| (0..24 * 60).map(move |minute| (day, minute)));
    let checks = [
        ("enabled", s.enabled.value && !l.enabled.value),
        ("idle_minutes", s.idle_minutes.value < l.idle_minutes.value),
        ("on_battery", s.on_battery.value && !l.on_battery.value),
        ("metered", s.metered.value && !l.metered.value),
        ("hours", minutes().any(|(d, m)| s.hours.value.contains(d, m) && !l.hours.value.contains(d, m))),
        ("max_celsius", above(s.max_celsius.value.into(), l.max_celsius.value.into())),
        ("other_cores", above(s.other_cores.value, l.other_cores.value)),
        ("calls", !s.calls.value && l.calls.value),
        ("films", !s.films.value && l.films.value),
        ("full_screen", !s.full_screen.value && l.full_screen.value),
        ("remote", !s.remote.value && l.remote.value),
        ("apps", l.apps.value.iter().any(|app| !s.apps.value.contains(app))),
        ("threads", s.threads.value.unwrap_or(u16::MAX) > l.threads.value.unwrap_or(u16::MAX)),
        ("memory_percent", s.memory_percent.value > l.memory_percent.value),
        ("disk_gib", s.disk_gib.value > l.disk_gib.value),
        ("tier", s.sandbox_tier.value < l.sandbox_tier.value),
    ];
    checks.into_iter().filter(|(_, looser)| *looser).map(|(key, _)| key).collect()
}

proptest! {
    #[test]
    fn no_tier_comes_out_below_what_anybody_asks(
        own in option::of((any_rules(1), any_sandbox())),
        org in option::of((any_rules(1), any_sandbox())),
    ) {
        let asked = [&own, &org].into_iter().flatten().filter_map(|(_, sandbox)| sandbox.tier).max();
        let (own, org) = (own.map(|(a, b)| settings(a, b)), org.map(|(a, b)| machine(a, b)));
        let found = resolve(own.as_ref(), None, org.as_ref()).sandbox_tier;
        prop_assert_eq!(found.value, asked.unwrap_or(Tier::Basic));
        let org_asked = org.and_then(|org| org.sandbox.tier);
        prop_assert_eq!(found.locked, org_asked == Some(Tier::Full), "only the organisation's own word is locked");
    }

    #[test]
    fn a_rule_of_the_organisation_never_loosens(
        own in any_rules(6), org in any_rules(6), own_tier in any_sandbox(), org_tier in any_sandbox(),
    ) {
        let (own, org) = (settings(own, own_tier), machine(org, org_tier));
        let with = resolve(Some(&own), None, Some(&org));
        prop_assert!(looser(&with, &resolve(Some(&own), None, None)).is_empty());
        // One rule more on top of other rules does not loosen either.
        let fewer = LendRules { apps: None, hours: None, threads: None, ..org.lend.clone() };
        let without = machine(fewer, SandboxRules::default());
        prop_assert!(looser(&with, &resolve(Some(&own), None, Some(&without))).is_empty());
    }

    #[test]
    fn a_person_cannot_loosen_the_organisations_word(
        own in any_rules(6), org in any_rules(6), own_tier in any_sandbox(), org_tier in any_sandbox(),
    ) {
        let org = machine(org, org_tier);
        let told = settings(org.lend.clone(), org.sandbox.clone());
        let with = resolve(Some(&settings(own, own_tier)), None, Some(&org));
        // Where the organisation is silent, the person's own word is all there is.
        let silent = |key: &&&str| org.to_string().lines().any(|line| line.starts_with(&format!("{key} =")));
        let alone = resolve(Some(&told), None, None);
        let loosened = looser(&with, &alone);
        prop_assert!(loosened.iter().find(silent).is_none(), "{:?}", loosened);
    }

    #[test]
    fn it_does_not_matter_who_said_which(
        a in any_rules(6), b in any_rules(6), a_tier in any_sandbox(), b_tier in any_sandbox(),
    ) {
        // Defaults belong to the person's side only, so each side says what the other leaves open.
        let full = |lend: &LendRules| resolved_as_rules(&resolve(Some(&settings(lend.clone(), SandboxRules::default())), None, None));
        let (a, b) = (full(&a), full(&b));
        let one = resolve(Some(&settings(a.clone(), a_tier.clone())), None, Some(&machine(b.clone(), b_tier.clone())));
        let other = resolve(Some(&settings(b, b_tier)), None, Some(&machine(a, a_tier)));
        prop_assert!(looser(&one, &other).is_empty() && looser(&other, &one).is_empty());
    }

    #[test]
    fn what_counts_reads_back(
        own in any_rules(APPS_MAX / 2), org in any_rules(APPS_MAX / 2), own_tier in any_sandbox(), org_tier in any_sandbox(),
    ) {
        let found = resolve(Some(&settings(own, own_tier)), None, Some(&machine(org, org_tier)));
        let again = Settings::parse("a", &found.to_string()).unwrap();
        prop_assert_eq!(again.sandbox.tier, Some(found.sandbox_tier.value));
        prop_assert_eq!(&again.lend, &resolved_as_rules(&found));
        prop_assert_eq!(resolved_as_rules(&resolve(Some(&again), None, None)), again.lend);
    }

    #[test]
    fn what_is_locked_cannot_be_loosened(
        own in any_rules(6), org in any_rules(6), own_tier in any_sandbox(), org_tier in any_sandbox(),
    ) {
        let org = machine(org, org_tier);
        let found = resolve(Some(&settings(own, own_tier)), None, Some(&org));
        // The loosest file a person could write.
        let wish = "enabled = true\nidle_minutes = 1\non_battery = true\nmetered = true\nhours = []\nmax_celsius = 0\n\
                    other_cores = 0\ncalls = false\nfilms = false\nfull_screen = false\nremote = false\napps = []\n\
                    memory_percent = 90\ndisk_gib = 1000000\n[sandbox]\ntier = \"basic\"";
        let wish = Settings::parse("a", &format!("[lend]\n{wish}")).unwrap();
        let loose = resolve(Some(&wish), None, Some(&org));
        for (row, wished) in found.rows().iter().zip(loose.rows()).filter(|(row, _)| row.locked) {
            prop_assert_eq!(row.source, Source::Machine);
            prop_assert_eq!(&row.value, &wished.value, "{}", row.key);
        }
    }
}

/// Every value said out loud.
fn resolved_as_rules(found: &Effective) -> LendRules {
    LendRules {
        enabled: Some(found.enabled.value),
        idle_minutes: Some(found.idle_minutes.value),
        on_battery: Some(found.on_battery.value),
        metered: Some(found.metered.value),
        hours: Some(found.hours.value.clone()),
        max_celsius: Some(found.max_celsius.value),
        other_cores: Some(found.other_cores.value),
        calls: Some(found.calls.value),
        films: Some(found.films.value),
        full_screen: Some(found.full_screen.value),
        remote: Some(found.remote.value),
        apps: Some(found.apps.value.clone()),
        threads: found.threads.value,
        memory_percent: Some(found.memory_percent.value),
        disk_gib: Some(found.disk_gib.value),
        watts_per_thread: Some(found.watts_per_thread.value),
    }
}
