use proptest::prelude::*;

use super::*;
use crate::rules::tests::{any_rules, any_sandbox};

#[test]
fn what_a_person_wrote_stays() {
    let text = "# my machine\n\n[lend] # nights\n# tired\nidle_minutes = 10 # coffee\nenabled   =  false   # for now\n\
                apps = [\n  \"blender\", # work\n]\n# end\n";
    let expected = text.replace("  false ", "  true ");
    assert_eq!(set_enabled("a", text, true).unwrap(), expected);
    assert_eq!(set_enabled("a", &expected, true).unwrap(), expected);
    let idle = set("a", text, "lend.idle_minutes", Some(&RuleValue::Number(20.0))).unwrap();
    assert_eq!(idle, text.replace("10", "20"));
    let silent = set("a", text, "lend.idle_minutes", None).unwrap();
    assert_eq!(silent, text.replace("idle_minutes = 10 ", ""));
    let silent = set("a", text, "lend.apps", None).unwrap();
    assert_eq!(silent, text.replace("apps = [\n  \"blender\", # work\n]\n", ""));
    assert_eq!(set("a", text, "lend.metered", None).unwrap(), text);
    assert_eq!(set("a", text, "sandbox.tier", None).unwrap(), text);
    let tier = set("a", text, "sandbox.tier", Some(&RuleValue::Choice("full".into()))).unwrap();
    assert!(tier.starts_with(text.strip_suffix("# end\n").unwrap()) && tier.contains("[sandbox]\ntier = \"full\""));
    let no_limit = set("a", text, "lend.max_celsius", Some(&RuleValue::NoLimit)).unwrap();
    assert!(no_limit.contains("max_celsius = 0\n"), "{no_limit}");
}

#[test]
fn any_way_to_write_the_table_is_kept() {
    for (text, expected) in [
        ("", "[lend]\nenabled = true\n"),
        ("# mine\n", "[lend]\nenabled = true\n# mine\n"),
        ("[lend]\nidle_minutes = 9\n", "[lend]\nidle_minutes = 9\nenabled = true\n"),
        ("lend.enabled = false", "lend.enabled = true\n"),
        ("lend = { idle_minutes = 9 }\n", "lend = { idle_minutes = 9 , enabled = true }\n"),
    ] {
        let edited = set_enabled("a", text, true).unwrap();
        assert_eq!(edited, expected, "{text}");
    }
    for (text, expected) in [
        ("[lend]\nenabled = true", "[lend]\n"),
        ("lend.enabled = true # yes\r\nlend.calls = true\r\n", "# yes\r\nlend.calls = true\r\n"),
        ("lend = { idle_minutes = 9, enabled = true }\n", "lend = { idle_minutes = 9}\n"),
    ] {
        assert_eq!(set("a", text, "lend.enabled", None).unwrap(), expected, "{text}");
    }
}

#[test]
fn what_is_broken_is_not_touched() {
    let error = set_enabled("settings.toml", "[lend]\nidle_minute = 5", true).unwrap_err();
    assert!(error.to_string().starts_with("settings.toml:2:1: "), "{error}");
    assert_eq!(Fault::from(error).code, Code::Storage);
}

#[test]
fn what_a_rule_cannot_be_is_said() {
    for (key, value, said) in [
        ("lend.idle", RuleValue::Switch(true), "lend.idle: there is no such rule"),
        ("idle_minutes", RuleValue::Switch(true), "there is no such rule"),
        ("sandbox.enabled", RuleValue::Switch(true), "there is no such rule"),
        ("", RuleValue::Switch(true), "there is no such rule"),
        ("lend.idle_minutes", RuleValue::Number(1.5), "lend.idle_minutes: it must be a whole number"),
        ("lend.idle_minutes", RuleValue::Number(0.0), "`idle_minutes` is 0; write a whole number from 1 to 1440"),
        ("lend.idle_minutes", RuleValue::Number(f64::NAN), "whole number"),
        ("lend.idle_minutes", RuleValue::Switch(true), "`idle_minutes` is true or false"),
        ("lend.idle_minutes", RuleValue::NoLimit, "cannot be without a limit"),
        ("lend.other_cores", RuleValue::Number(f64::INFINITY), "`other_cores` is inf"),
        ("lend.hours", RuleValue::Hours(vec!["noon".into()]), "`hours` cannot be read"),
        ("lend.apps", RuleValue::Names(vec!["a\n".into()]), "`apps` holds"),
        ("sandbox.tier", RuleValue::Choice("none".into()), "`tier` is \"none\""),
    ] {
        let error = set("a", "[lend]\nidle_minutes = 3\n", key, Some(&value)).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
        assert_eq!(Fault::from(error).code, Code::BadRequest);
    }
}

#[test]
fn only_what_asks_for_more_loosens() {
    let machine = "[lend]\nenabled = true\nidle_minutes = 10\nmax_celsius = 70\nhours = [\"Mon-Fri\"]\n\
                   apps = [\"cad\", \"ide\"]\nthreads = 4\nwatts_per_thread = 5.0\n[sandbox]\ntier = \"full\"";
    let machine = Policy::parse("m", machine).unwrap();
    for (line, loosened) in [
        ("enabled = false", false),
        ("idle_minutes = 9", true),
        ("idle_minutes = 10", false),
        ("idle_minutes = 11", false),
        ("max_celsius = 0", true),
        ("max_celsius = 60", false),
        ("hours = [\"Sat\"]", true),
        ("hours = [\"Mon\"]", false),
        ("apps = [\"cad\"]", true),
        ("apps = [\"ide\", \"cad\"]", false),
        ("apps = [\"more\", \"ide\", \"cad\"]", false),
        ("threads = 8", true),
        ("threads = 2", false),
        ("watts_per_thread = 6.0", true),
        ("on_battery = true", false),
    ] {
        let settings = Settings::parse("s", &format!("[lend]\n{line}")).unwrap();
        let key = format!("lend.{}", line.split(' ').next().unwrap());
        assert_eq!(loosens(&settings, None, Some(&machine), &key), loosened, "{line}");
    }
    let settings = Settings::parse("s", "[sandbox]\ntier = \"basic\"").unwrap();
    assert!(loosens(&settings, None, Some(&machine), "sandbox.tier"));
    assert!(
        !loosens(&Settings::default(), None, Some(&machine), "lend.idle_minutes"),
        "who says nothing asks for nothing"
    );
}

const COMMENT: &str = "#\t";

/// A comment above and behind every line, each its own, and one at the end. No value can hold what they begin with.
fn commented(text: &str) -> String {
    let line = |(number, line)| format!("{COMMENT}above {number}\n{line} {COMMENT}behind {number}\n");
    text.lines().filter(|line| !line.is_empty()).enumerate().map(line).chain([format!("{COMMENT}end\n")]).collect()
}

/// What is not about that key: every comment in its order, and every other key's line.
fn others<'a>(text: &'a str, name: &str) -> (Vec<&'a str>, Vec<&'a str>) {
    let comments = text.lines().filter_map(|line| line.find(COMMENT).map(|at| &line[at..])).collect();
    let of_key = |line: &&str| line.split_once(" = ").is_some_and(|(key, _)| key != name);
    (comments, text.lines().filter(of_key).collect())
}

proptest! {
    #[test]
    fn what_its_author_wrote_around_it_stays(
        lend in any_rules(4), sandbox in any_sandbox(), other in any_rules(4), place in 0..17_usize,
    ) {
        let text = commented(&Settings { lend, sandbox }.to_string());
        let from = Settings { lend: other, sandbox: crate::SandboxRules::default() };
        let view = resolve(Some(&from), None, None).views().swap_remove(place);
        let (_, name) = view.key.split_once('.').unwrap();
        for value in [Some(&view.value), None] {
            let edited = set("a", &text, &view.key, value).unwrap();
            prop_assert_eq!(others(&edited, name), others(&text, name), "{}", edited);
        }
    }

    #[test]
    fn only_that_key_changes(lend in any_rules(4), sandbox in any_sandbox(), on in any::<bool>()) {
        let mut settings = Settings { lend, sandbox };
        let edited = set_enabled("a", &settings.to_string(), on).unwrap();
        settings.lend.enabled = Some(on);
        prop_assert_eq!(Settings::parse("a", &edited).unwrap(), settings);
    }

    #[test]
    fn what_is_shown_can_be_set_and_unset(
        lend in any_rules(4), sandbox in any_sandbox(), other in any_rules(4), place in 0..17_usize,
    ) {
        let settings = Settings { lend, sandbox };
        let from = Settings { lend: other, sandbox: crate::SandboxRules::default() };
        let view = resolve(Some(&from), None, None).views().swap_remove(place);
        let edited = set("a", &settings.to_string(), &view.key, Some(&view.value)).unwrap();
        let now = resolve(Some(&Settings::parse("a", &edited).unwrap()), None, None).views();
        for (before, after) in resolve(Some(&settings), None, None).views().iter().zip(&now) {
            let value = if after.key == view.key { &view.value } else { &before.value };
            prop_assert_eq!(&after.value, value, "{} after {}", after.key, view.key);
        }
        let unset = set("a", &edited, &view.key, None).unwrap();
        let mut left = words(&settings);
        left.remove(&view.key);
        prop_assert_eq!(words(&Settings::parse("a", &unset).unwrap()), left);
    }
}
