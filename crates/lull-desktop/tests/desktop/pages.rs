//! The window's pages.

use std::collections::BTreeSet;

use lull_desktop::{
    Lang, State,
    pages::{self, Control, Setting, SettingsPage, Source, Value},
};
use lull_policy::{Effective, MachineRules, Settings, resolve};
use lull_types::{Code, Fault, Layer, ModelPlace, ModelView, RanHere, Shortfall, Tier};
use proptest::prelude::*;

use crate::fixtures::{HOUR_MS, after, answering, down, lending, now, now_ms, paused, ran, status};

const DAY_MS: u64 = 24 * HOUR_MS;

fn state() -> State {
    answering("", status(paused(after(HOUR_MS)))).1
}

#[test]
fn home_adds_up_days() {
    let ago = |days: u64| ran(now_ms() - days * DAY_MS);
    let jobs: Vec<RanHere> = [0, 0, 1, 6, 7, 29, 30, 31].map(ago).into();
    let page = pages::home(&state(), &jobs, false, &now());
    assert_eq!(page.gave.each_ref().map(|gave| gave.jobs), [2, 4, 6]);
    let [today, week, month] = &page.gave;
    assert_eq!((today.span, today.jobs_words.as_str(), today.ran_words.as_str()), ("Today", "2 jobs", "5.0 s"));
    assert_eq!((week.tokens_words.as_str(), week.energy_words.as_str()), ("136 tokens", "about 1.00 Wh (estimated)"));
    assert_eq!((month.ran_ms, month.energy_wh), (15_000, 1.5));
    assert_eq!(page.headline.line, "Paused: as you asked · until 15:30 (1 h left)");
    assert_eq!(page.energy_formula, RanHere::ENERGY_FORMULA, "the formula is the one that the node uses");
    assert_eq!(page.note, None);
}

#[test]
fn home_draws_a_bar_for_each_day() {
    let job = |days: u64, ran_ms| RanHere { ran_ms, ..ran(now_ms() - days * DAY_MS) };
    let page = pages::home(&state(), &[job(0, 1_000), job(1, 4_000), job(2, 1)], false, &now());
    assert_eq!(page.bars.len(), 30);
    let last: Vec<_> = page.bars[26..].iter().map(|bar| (bar.words.as_str(), bar.percent)).collect();
    let expected = [
        ("19 November: no jobs, 0.0 s", 0),
        ("20 November: 1 job, 0.0 s", 1),
        ("yesterday: 1 job, 4.0 s", 100),
        ("today: 1 job, 1.0 s", 25),
    ];
    assert_eq!(last, expected);
    assert_eq!(page.bars[0].day, "24 October");
}

#[test]
fn home_says_what_its_numbers_lack() {
    let note = |jobs: &[RanHere], cut| pages::home(&state(), jobs, cut, &now()).note;
    assert!(note(&[], false).unwrap().starts_with("Nothing ran here yet"));
    assert!(note(&[ran(now_ms())], true).unwrap().starts_with("The log is longer"));
}

#[test]
fn home_survives_any_log() {
    let odd = |ended_unix_ms, energy_wh| RanHere { ended_unix_ms, energy_wh, ran_ms: u64::MAX, ..ran(0) };
    let jobs = [
        odd(u64::MAX, f32::NAN),
        odd(0, 1.0),
        odd(now_ms(), f32::INFINITY),
        odd(now_ms() + 9 * DAY_MS, -1.0),
        odd(now_ms(), 1.0),
    ];
    let page = pages::home(&state(), &jobs, false, &now());
    assert_eq!(page.gave[0].energy_wh, 1.0);
    assert_eq!(page.gave[0].jobs, 3, "what a wrong clock put into the future counts as today");
    assert_eq!(page.bars.last().unwrap().percent, 100);
}

#[test]
fn home_offers_what_the_tray_offers() {
    let page = pages::home(&state(), &[], false, &now());
    let tray = lull_desktop::menu(&state(), &now());
    assert!(page.verbs.len() > 2);
    assert!(page.verbs.iter().all(|verb| tray.items().any(|item| item == verb)));
}

fn model(name: &str, lenders: u32) -> ModelView {
    ModelView {
        name: name.into(),
        hash: None,
        place: ModelPlace::Both,
        lenders,
        bytes: Some(1_600_000_000),
        context: Some(32_768),
        decode_tps: Some(9.25),
        fault: None,
    }
}

#[test]
fn models_are_told_in_words() {
    let broken = ModelView {
        decode_tps: Some(f32::NAN),
        fault: Some(Fault::new(Code::ModelBroken, "cut off")),
        ..model("b", 0)
    };
    let page = pages::models(Lang::De, &[model("a", 2), broken]);
    let [a, b] = &page.rows[..] else { panic!("{page:?}") };
    assert_eq!((a.place, a.lenders.as_str()), ("hier und auf anderen Computern", "gerade bieten es 2 Computer an"));
    assert_eq!(a.size.as_deref(), Some("1,6 GB"));
    assert_eq!(a.context.as_deref(), Some("überblickt 32.768 Tokens"));
    assert_eq!(a.speed.as_deref(), Some("bis 9,2 Tokens/s"));
    assert_eq!((b.speed.as_deref(), b.fault.as_deref(), b.usable), (None, Some("cut off"), false));
    assert!(pages::models(Lang::En, &[]).empty.is_some());
}

#[test]
fn privacy_says_who_and_what_and_what_ran() {
    let mut view = status(lending(1, 1, false));
    let why = "no user namespaces; allow them with sysctl";
    view.sandbox.shortfalls = vec![Shortfall { layer: Layer::OwnRoot, why: why.into() }];
    let outcome = |text: &str| RanHere { outcome: text.into(), ..ran(now_ms()) };
    let jobs = [outcome("completed"), outcome("yielding"), outcome("worker_died"), outcome("cancelled")];
    let page = pages::privacy(Lang::En, &view, &jobs, &now());
    assert_eq!(page.facts[0].text, "Members of Acme, and nobody else.");
    assert_eq!(page.facts[4].text, "Fully: no network, no files, none of your data.");
    assert_eq!(page.shortfalls, [why]);
    let outcomes: Vec<_> = page.ran.iter().map(|row| row.outcome.as_str()).collect();
    let expected =
        ["finished", "stopped because you came back", "did not finish (worker_died)", "cancelled by whoever asked"];
    assert_eq!(outcomes, expected);
    assert_eq!(page.ran[0].ended, "14:30");
    assert_eq!(page.empty, None);
    view.sandbox.tier = None;
    view.sandbox.required = Tier::Full;
    let page = pages::privacy(Lang::En, &view, &[], &now());
    let unconfined = "Not well enough, or not known. Needed at least: Fully: no network, no files, none of your data.";
    assert_eq!(page.facts[4].text, unconfined);
    assert!(page.empty.is_some());
}

#[test]
fn connect_gives_texts_to_copy() {
    let view = status(lending(1, 1, false));
    let page = pages::connect(Lang::En, &view, &[model("gone", 0), model("qwen3-4b", 1)]);
    assert_eq!(page.base_url.as_deref(), Some("http://127.0.0.1:5855/v1"));
    let code: Vec<_> = page.snippets.iter().map(|snippet| snippet.code.as_str()).collect();
    assert_eq!(code[0], "export OPENAI_BASE_URL=http://127.0.0.1:5855/v1\nexport OPENAI_API_KEY=YOUR_KEY\n");
    assert!(code[1..].iter().all(|code| code.contains("\"qwen3-4b\"") && code.contains("YOUR_KEY")), "{code:#?}");
    let body = code[1].split("-d '").nth(1).unwrap().trim_end().trim_end_matches('\'');
    serde_json::from_str::<serde_json::Value>(body).unwrap();
}

#[test]
fn a_models_name_cannot_get_into_somebodys_shell() {
    let view = status(lending(1, 1, false));
    for name in ["a'; rm -rf ~; '", "\"", "$(id)", "a b", "-x", "", "ä"] {
        let page = pages::connect(Lang::En, &view, &[model(name, 1)]);
        assert!(page.snippets[1].code.contains("\"lull-demo\""), "{name}");
    }
}

#[test]
fn a_closed_door_has_no_texts_to_copy() {
    let mut view = status(lending(1, 1, false));
    view.api = None;
    let page = pages::connect(Lang::En, &view, &[]);
    assert!(page.base_url.is_none() && page.snippets.is_empty() && page.note.starts_with("The local address"));
}

#[test]
fn about_tells_which_machine_this_is() {
    let view = down(lending(1, 1, false), Code::RelayUnreachable);
    let texts: Vec<_> = pages::about(Lang::En, &view).facts.into_iter().map(|fact| fact.text).collect();
    assert_eq!(texts[0], "0.1.0");
    assert_eq!(texts[4], "not connected to relay.acme.example:5855: nobody answers there");
    assert_eq!(texts[5], "3 answered here, 2 asked from here");
}

fn effective(own: &str, org: &str) -> Effective {
    let own = Settings::parse("settings.toml", own).unwrap();
    let org = MachineRules::parse("policy.toml", org).unwrap();
    resolve(Some(&own), Some(&org))
}

fn all(page: SettingsPage) -> Vec<Setting> {
    page.sections.into_iter().flat_map(|section| section.settings).collect()
}

fn one(own: &str, org: &str, key: &str) -> Setting {
    let settings = all(pages::settings(Lang::En, &effective(own, org), "Acme"));
    settings.into_iter().find(|setting| setting.key == key).unwrap()
}

#[test]
fn every_rule_has_its_row() {
    let found = effective("", "");
    let rows: BTreeSet<String> = found.rows().iter().map(|row| format!("{}.{}", row.table, row.key)).collect();
    for lang in Lang::ALL {
        let settings = all(pages::settings(lang, &found, ""));
        assert_eq!(settings.len(), rows.len());
        assert_eq!(settings.iter().map(|setting| setting.key.to_owned()).collect::<BTreeSet<_>>(), rows);
        let titles: BTreeSet<_> = settings.iter().map(|setting| setting.title).collect();
        assert_eq!(titles.len(), settings.len(), "two rules have one title");
        assert!(settings.iter().all(|setting| !setting.help.is_empty() && !setting.shown.is_empty()));
    }
}

#[test]
fn a_rule_says_whose_word_it_is() {
    let own = "[lend]\nidle_minutes = 3";
    let setting = one(own, "[lend]\nidle_minutes = 10", "lend.idle_minutes");
    assert_eq!((setting.value, setting.shown.as_str()), (Value::Number(10.0), "10 min"));
    assert_eq!((setting.source, setting.source_words.as_str()), (Source::Organisation, "Managed by Acme"));
    assert_eq!(setting.said, ["You chose: 3"]);
    let lock = setting.lock.unwrap();
    assert_eq!((lock.by.as_str(), lock.stricter), ("Acme", true));
    assert!(matches!(setting.control, Control::Number { min: 10.0, max: 1440.0, .. }), "{:?}", setting.control);
    let free = one(own, "", "lend.idle_minutes");
    assert_eq!((free.source, free.lock, free.shown.as_str()), (Source::Settings, None, "3 min"));
    assert_eq!(one("", "", "lend.idle_minutes").source, Source::Default);
    let silent = one("", "[lend]\nidle_minutes = 10", "lend.idle_minutes");
    assert_eq!(silent.said, Vec::<String>::new(), "nobody chose what Lull itself would have");
}

#[test]
fn a_switch_that_the_organisation_holds_cannot_be_moved() {
    let setting = one("[lend]\non_battery = true", "[lend]\non_battery = false", "lend.on_battery");
    assert_eq!((setting.value, setting.shown.as_str()), (Value::Switch(false), "Off"));
    assert_eq!(setting.said, ["You chose: On"]);
    let lock = setting.lock.unwrap();
    assert!(!lock.stricter && lock.why.contains("Pausing is always up to you"));
}

#[test]
fn a_number_without_a_limit_is_told_so() {
    for (own, key, value, shown) in [
        ("[lend]\nmax_celsius = 0", "lend.max_celsius", Value::NoLimit, "Do not look at it"),
        ("[lend]\nother_cores = 0", "lend.other_cores", Value::NoLimit, "Do not look at it"),
        ("", "lend.threads", Value::NoLimit, "As many as fit"),
        ("[lend]\nthreads = 4", "lend.threads", Value::Number(4.0), "4 threads"),
        ("", "lend.other_cores", Value::Number(0.6), "0.6 cores"),
        (
            "[lend]\nhours = [\"Mon-Fri 18:00-08:00\"]",
            "lend.hours",
            Value::Hours(vec!["Mon-Fri 18:00-08:00".into()]),
            "Mon–Fri 18:00–08:00",
        ),
        ("", "lend.hours", Value::Hours(Vec::new()), "Always"),
        ("[lend]\napps = [\"blender\"]", "lend.apps", Value::Names(vec!["blender".into()]), "blender"),
        ("", "sandbox.tier", Value::Choice("basic"), "With filters"),
    ] {
        let setting = one(own, "", key);
        assert_eq!((setting.value, setting.shown.as_str()), (value, shown), "{key}");
    }
}

#[test]
fn what_the_organisation_holds_cannot_be_loosened_in_the_window() {
    let Control::Number { max, no_limit, .. } = one("", "[lend]\nmax_celsius = 70", "lend.max_celsius").control else {
        panic!()
    };
    assert_eq!((max, no_limit), (70.0, None));
    let tier = one("", "[sandbox]\ntier = \"full\"", "sandbox.tier");
    assert_eq!(tier.control, Control::Choice { options: vec![("full", "Fully")] });
    assert!(!tier.lock.unwrap().stricter);
}

proptest! {
    /// Whatever a number on the page can be set to, the settings file takes, and it becomes no looser than it is.
    #[test]
    fn a_range_is_one_that_the_file_takes(org_idle in 1..1440_u16, org_heat in 40..=105_u16, org_mem in 1..=90_u16) {
        let org = format!("[lend]\nidle_minutes = {org_idle}\nmax_celsius = {org_heat}\nmemory_percent = {org_mem}");
        for setting in all(pages::settings(Lang::En, &effective("", &org), "")) {
            let Control::Number { min, max, .. } = setting.control else { continue };
            prop_assert!(min <= max, "{}", setting.key);
            let key = setting.key.strip_prefix("lend.").unwrap();
            for value in [min, max] {
                let own = format!("[lend]\n{key} = {value}");
                prop_assert!(Settings::parse("a", &own).is_ok(), "{}", own);
                if setting.lock.is_some() {
                    let again = one(&own, &org, setting.key);
                    prop_assert_eq!(&again.value, &Value::Number(value), "{}", own);
                }
            }
        }
    }
}
