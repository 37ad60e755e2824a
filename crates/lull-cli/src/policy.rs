//! The rules that count on this machine: what they say, whose word that is, and what it overrode.

use std::{io::Read, path::Path};

use lull_desktop::{Lang, catalogue};
use lull_node::{AgreedFiles, NodeApi as _, RemoteNode};
use lull_policy::{MachineRules, TEXT_BYTES_MAX, resolve};
use lull_types::{Code, Control, Request, Response, RuleSource, RuleUnit, RuleValue, RuleView, RulesView};

use crate::{args::Policy, output, output::Failure};

/// Each rule, and how the app's catalogue calls its title; what it does is there under the same name with `_help`.
const WORDS: [(&str, &str); 17] = [
    ("lend.enabled", "set_enabled"),
    ("lend.idle_minutes", "set_idle"),
    ("lend.on_battery", "set_battery"),
    ("lend.metered", "set_metered"),
    ("lend.hours", "set_hours"),
    ("lend.max_celsius", "set_celsius"),
    ("lend.other_cores", "set_cores"),
    ("lend.calls", "set_calls"),
    ("lend.films", "set_films"),
    ("lend.full_screen", "set_full_screen"),
    ("lend.remote", "set_remote"),
    ("lend.apps", "set_apps"),
    ("lend.threads", "set_threads"),
    ("lend.memory_percent", "set_memory"),
    ("lend.disk_gib", "set_disk"),
    ("lend.watts_per_thread", "set_watts"),
    ("sandbox.tier", "set_tier"),
];

pub(crate) async fn run(home: &Path, command: Policy) -> Result<(), Failure> {
    if let Policy::Validate { file, json } = command {
        return validate(&file, json);
    }
    let rules = rules(home).await?;
    match command {
        Policy::List { json: true } => output::json(&rules)?,
        Policy::List { json: false } => {
            output::table(&table(&rules))?;
            eprintln!("Your own words: {}", rules.settings_file);
            if let Some(file) = &rules.machine_file {
                eprintln!("Your organisation's: {file}");
            }
        }
        Policy::Explain { key, json } => {
            let rule = find(&rules, &key)?;
            if json { output::json(rule)? } else { output::table(&explained(rule, &rules))? }
        }
        Policy::Validate { .. } => {}
    }
    match rules.broken {
        Some(why) => Err(Failure::new(1, format!("nothing is lent, because a file cannot be followed: {why}"))),
        None => Ok(()),
    }
}

/// What a file would decide, or where it cannot be followed.
fn validate(file: &Path, json: bool) -> Result<(), Failure> {
    let name = if file.as_os_str() == "-" { "(piped in)".into() } else { file.display().to_string() };
    let text = text_of(file).map_err(|error| {
        Failure::new(
            2,
            format!("{name} cannot be read: {error}; name a file of rules that may be read, or - for a pipe"),
        )
    })?;
    let rules = MachineRules::parse(&name, &text).map_err(|error| Failure::new(2, error.to_string()))?;
    let views = resolve(None, Some(&rules)).views();
    let decided: Vec<_> = views.iter().filter(|rule| rule.source == RuleSource::Organisation).collect();
    if json {
        return output::json(&decided);
    }
    let row = |rule: &&RuleView| vec![rule.key.clone(), value(&rule.value)];
    output::table(&decided.iter().map(row).collect::<Vec<_>>())?;
    let count = if decided.len() == 1 { "1 rule".to_owned() } else { format!("{} rules", decided.len()) };
    eprintln!("{name} can be followed: it decides {count}, and leaves the other {}.", views.len() - decided.len());
    Ok(())
}

fn text_of(file: &Path) -> std::io::Result<String> {
    let from: Box<dyn Read> =
        if file.as_os_str() == "-" { Box::new(std::io::stdin()) } else { Box::new(std::fs::File::open(file)?) };
    let mut text = String::new();
    // One byte more than a file may have, so that one that is too long says so itself.
    from.take(TEXT_BYTES_MAX as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}

/// As the running node has them; where none runs, as the files have them.
async fn rules(home: &Path) -> Result<RulesView, Failure> {
    match RemoteNode::connect(home).await {
        Ok(node) => match node.call(Request::Rules).await? {
            Response::Rules(rules) => Ok(*rules),
            _ => Err(Failure::new(1, "the node gave an answer that does not fit the question")),
        },
        Err(fault) if fault.code == Code::NotRunning => Ok(AgreedFiles::open(home)?.rules()),
        Err(fault) => Err(fault.into()),
    }
}

/// The rule of that name; its table may be left out.
fn find<'a>(rules: &'a RulesView, key: &str) -> Result<&'a RuleView, Failure> {
    let named = |rule: &&RuleView| rule.key == key || rule.key.split_once('.').is_some_and(|(_, name)| name == key);
    let unknown = || Failure::new(3, format!("there is no rule \"{key}\"; see all of them: lull policy list"));
    rules.rules.iter().find(named).ok_or_else(unknown)
}

fn table(rules: &RulesView) -> Vec<Vec<String>> {
    let headings = ["RULE", "VALUE", "WHOSE WORD", "LOCKED", "OVERRODE"].map(String::from).to_vec();
    let row = |rule: &RuleView| {
        let locked = if rule.locked { "locked" } else { "-" };
        vec![rule.key.clone(), value(&rule.value), who(rule.source).into(), locked.into(), overrode(rule)]
    };
    std::iter::once(headings).chain(rules.rules.iter().map(row)).collect()
}

fn explained(rule: &RuleView, rules: &RulesView) -> Vec<Vec<String>> {
    let organisation = rules.machine_file.as_deref().unwrap_or("its rules");
    let whose = match rule.source {
        RuleSource::Default => "nobody's: Lull's own choice".to_owned(),
        RuleSource::Settings => format!("yours: {}", rules.settings_file),
        RuleSource::Organisation => format!("your organisation's: {organisation}"),
    };
    let locked = match (rule.locked, rule.stricter) {
        (false, _) => "no: it is up to you".to_owned(),
        (true, true) => format!("yes: you can be stricter, not looser; ask whoever wrote {organisation}"),
        (true, false) => format!("yes: only {organisation} can change it"),
    };
    let may_be = if rule.locked && !rule.stricter { "only what it is".to_owned() } else { range(&rule.control) };
    let mut rows = vec![(rule.key.as_str(), value(&rule.value))];
    rows.extend(meaning(&rule.key).map(|meaning| ("means", meaning)));
    rows.extend([("whose word", whose), ("locked", locked), ("may be", may_be), ("overrode", overrode(rule))]);
    rows.into_iter().map(|(name, text)| vec![name.to_owned(), text]).collect()
}

/// A rule's title and what it does, in the app's words.
fn meaning(key: &str) -> Option<String> {
    let (_, title) = WORDS.iter().find(|(rule, _)| *rule == key)?;
    let words = catalogue(Lang::En);
    Some(format!("{}: {}", words.get(title)?, words.get(format!("{title}_help").as_str())?))
}

/// A value much as a settings file has it.
fn value(value: &RuleValue) -> String {
    match value {
        RuleValue::Switch(on) => on.to_string(),
        RuleValue::Number(number) => number.to_string(),
        RuleValue::NoLimit => "no limit".into(),
        RuleValue::Hours(windows) if windows.is_empty() => "always".into(),
        RuleValue::Names(names) if names.is_empty() => "none".into(),
        RuleValue::Hours(texts) | RuleValue::Names(texts) => list(texts),
        RuleValue::Choice(name) => list(std::slice::from_ref(name)).trim_matches(['[', ']']).to_owned(),
    }
}

fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(", "))
}

const fn who(source: RuleSource) -> &'static str {
    match source {
        RuleSource::Default => "default",
        RuleSource::Settings => "settings",
        RuleSource::Organisation => "organisation",
    }
}

/// What else was said and does not count as it was said.
fn overrode(rule: &RuleView) -> String {
    let said: Vec<_> = rule.said.iter().map(|said| format!("{} said {}", who(said.source), said.said)).collect();
    if said.is_empty() { "-".into() } else { said.join("; ") }
}

fn range(control: &Control) -> String {
    match control {
        Control::Switch => "true or false".into(),
        Control::Number { min, max, unit, no_limit, .. } => {
            let or = if *no_limit { ", or no limit" } else { "" };
            format!("{min} to {max} {}{or}", unit_name(*unit))
        }
        Control::Hours => "windows of the week such as [\"Mon-Fri 18:00-08:00\", \"Sat-Sun\"], or always".into(),
        Control::Names { count_max, .. } => format!("at most {count_max} names of programs"),
        Control::Choice { options } => options.join(" or "),
    }
}

const fn unit_name(unit: RuleUnit) -> &'static str {
    match unit {
        RuleUnit::Minutes => "minutes",
        RuleUnit::Celsius => "degrees Celsius",
        RuleUnit::Cores => "cores",
        RuleUnit::Threads => "threads",
        RuleUnit::Percent => "percent",
        RuleUnit::Gibibytes => "GiB",
        RuleUnit::Watts => "watts",
    }
}

#[cfg(test)]
mod tests {
    use lull_policy::Settings;

    use super::*;

    fn view(settings: &str, machine: &str) -> RulesView {
        let (settings, machine) = (Settings::parse("s", settings).unwrap(), MachineRules::parse("m", machine).unwrap());
        RulesView {
            rules: resolve(Some(&settings), Some(&machine)).views(),
            settings_file: "/home/a/settings.toml".into(),
            machine_file: Some("/etc/lull/policy.toml".into()),
            broken: None,
        }
    }

    fn row_of(rules: &RulesView, key: &str) -> Vec<String> {
        table(rules).into_iter().find(|row| row[0] == key).unwrap()
    }

    #[test]
    fn each_rule_has_a_line_that_says_whose_it_is() {
        let settings = "[lend]\nidle_minutes = 2\nhours = [\"Mon-Fri 18:00-08:00\"]\napps = [\"blender\", \"ide\"]";
        let rules = view(settings, "[lend]\nidle_minutes = 10\n[sandbox]\ntier = \"full\"");
        assert_eq!(table(&rules).len(), rules.rules.len() + 1);
        let idle = ["lend.idle_minutes", "10", "organisation", "locked", "settings said 2"];
        assert_eq!(row_of(&rules, "lend.idle_minutes"), idle);
        assert_eq!(row_of(&rules, "lend.enabled"), ["lend.enabled", "false", "default", "-", "-"]);
        assert_eq!(row_of(&rules, "lend.hours")[1..3], ["[\"Mon-Fri 18:00-08:00\"]", "settings"]);
        assert_eq!(row_of(&rules, "lend.apps")[1], "[\"blender\", \"ide\"]");
        assert_eq!(row_of(&rules, "lend.threads")[1], "no limit");
        assert_eq!(row_of(&rules, "lend.other_cores")[1], "0.6");
        assert_eq!(row_of(&rules, "sandbox.tier")[1..4], ["\"full\"", "organisation", "locked"]);
        let silent = view("", "");
        assert_eq!(row_of(&silent, "lend.hours")[1], "always");
        assert_eq!(row_of(&silent, "lend.apps")[1], "none");
    }

    #[test]
    fn a_rule_is_explained_with_what_may_be_chosen() {
        let rules =
            view("[lend]\nidle_minutes = 2\ncalls = true", "[lend]\nidle_minutes = 10\n[sandbox]\ntier = \"full\"");
        let lines = |key: &str| {
            let rows = explained(find(&rules, key).unwrap(), &rules);
            rows.into_iter().map(|row| row.join(": ")).collect::<Vec<_>>()
        };
        let idle = lines("idle_minutes");
        assert_eq!(idle[0], "lend.idle_minutes: 10");
        assert!(idle[1].starts_with("means: Wait after you leave: "), "{idle:?}");
        assert_eq!(idle[2], "whose word: your organisation's: /etc/lull/policy.toml");
        assert!(idle[3].starts_with("locked: yes: you can be stricter"), "{idle:?}");
        assert_eq!(idle[4..], ["may be: 10 to 1440 minutes", "overrode: settings said 2"]);
        let tier = lines("sandbox.tier");
        assert_eq!(tier[3..5], ["locked: yes: only /etc/lull/policy.toml can change it", "may be: only what it is"]);
        assert_eq!(lines("calls")[2], "whose word: yours: /home/a/settings.toml");
        let threads = lines("lend.threads");
        assert_eq!(threads[2..4], ["whose word: nobody's: Lull's own choice", "locked: no: it is up to you"]);
        assert_eq!(threads[4], "may be: 1 to 1024 threads, or no limit");
    }

    #[test]
    fn every_rule_has_words() {
        let rules = view("", "").rules;
        assert_eq!(rules.iter().map(|rule| rule.key.as_str()).collect::<Vec<_>>(), WORDS.map(|(key, _)| key));
        for rule in rules {
            assert!(meaning(&rule.key).is_some_and(|text| text.len() > 20), "{}", rule.key);
        }
    }

    #[test]
    fn a_rule_that_is_none_is_said() {
        let rules = view("", "");
        for key in ["lend.idle", "lend", "", "Enabled"] {
            let failure = find(&rules, key).unwrap_err();
            assert!(format!("{failure:?}").contains("lull policy list"), "{failure:?}");
        }
        assert_eq!(find(&rules, "tier").unwrap().key, "sandbox.tier");
    }

    #[test]
    fn a_file_is_checked_before_it_is_rolled_out() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.toml");
        let check = |text: &[u8]| {
            std::fs::write(&file, text).unwrap();
            validate(&file, true).map_err(|failure| format!("{failure:?}"))
        };
        check(b"").unwrap();
        check(b"[lend]\nidle_minutes = 20\n").unwrap();
        let long = vec![b'#'; TEXT_BYTES_MAX + 1];
        for (text, said) in [
            (&b"[lend]\nidle_minute = 20\n"[..], "policy.toml:2:1: "),
            (b"[lend]\n\n  enabled = \"no\"\n", "policy.toml:3:13: "),
            (b"[lend\n", "policy.toml:1:"),
            (b"\xff", "cannot be read"),
            (&long, "the most is"),
        ] {
            let failure = check(text).unwrap_err();
            assert!(failure.contains(said) && failure.contains("exit: 2"), "{failure}");
        }
        assert!(validate(&folder.path().join("nothing"), false).is_err());
    }

    #[tokio::test]
    async fn the_files_alone_tell_the_rules() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path();
        let settings = home.join("settings.toml");
        std::fs::write(&settings, "[lend]\nidle_minutes = 7\n").unwrap();
        let found = rules(home).await.unwrap();
        assert_eq!(find(&found, "idle_minutes").unwrap().value, RuleValue::Number(7.0));
        for command in [Policy::List { json: false }, Policy::Explain { key: "lend.idle_minutes".into(), json: true }] {
            run(home, command).await.unwrap();
        }
        std::fs::write(&settings, "[lend]\nidle_minute = 7\n").unwrap();
        let failure = run(home, Policy::List { json: true }).await.unwrap_err();
        assert!(format!("{failure:?}").contains("settings.toml:2:1"), "{failure:?}");
        assert_eq!(find(&rules(home).await.unwrap(), "enabled").unwrap().value, RuleValue::Switch(false));
    }
}
