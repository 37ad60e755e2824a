//! The rules that count on this machine: what they say, whose word that is, and what it overrode.

use std::{io::Read, path::Path};

use jiff::tz::TimeZone;
use lull_desktop::{Lang, rule_meaning};
use lull_node::{AgreedFiles, NodeApi as _, RemoteNode};
use lull_policy::{TEXT_BYTES_MAX, resolve};
use lull_types::{
    Code, Control, OrgRuleView, PolicyView, Request, Response, RuleSaid, RuleSource, RuleUnit, RuleValue, RuleView,
    RulesView,
};

use crate::{args::Policy, output, output::Failure, when};

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
            if let Some(policy) = &rules.policy {
                eprintln!("Your organisation's: {}", signed(policy));
            }
            if let Some(file) = &rules.machine_file {
                eprintln!("Your organisation's, for this machine: {file}");
            }
        }
        Policy::Explain { key, json } => match (find(&rules, &key)?, json) {
            (Rule::Shared(rule), true) => output::json(rule)?,
            (Rule::Org(rule), true) => output::json(rule)?,
            (Rule::Shared(rule), false) => output::table(&explained(rule, &rules))?,
            (Rule::Org(rule), false) => output::table(&org_explained(rule, &rules))?,
        },
        Policy::Validate { .. } => {}
    }
    match rules.broken {
        Some(why) => Err(Failure::new(1, format!("nothing is lent, because a file cannot be followed: {why}"))),
        None => Ok(()),
    }
}

/// What a file would decide, or where it cannot be followed.
fn validate(file: &Path, json: bool) -> Result<(), Failure> {
    let (name, text) = read_file(file)?;
    let rules = lull_policy::Policy::parse(&name, &text).map_err(|error| Failure::new(2, error.to_string()))?;
    let effective = resolve(None, None, Some(&rules));
    let views = effective.views();
    let decided: Vec<_> = views.iter().filter(|rule| rule.source == RuleSource::Organisation).collect();
    let org = effective.org_views();
    if json {
        return output::json(&serde_json::json!({ "rules": decided, "org": org }));
    }
    let row = |rule: &&RuleView| vec![rule.key.clone(), value(&rule.value)];
    let org_row = |rule: &OrgRuleView| vec![rule.key.clone(), rule.value.clone()];
    output::table(&decided.iter().map(row).chain(org.iter().map(org_row)).collect::<Vec<_>>())?;
    let rules = |count: usize| if count == 1 { "1 rule".to_owned() } else { format!("{count} rules") };
    eprintln!(
        "{name} can be followed: it decides {} of machines, leaves them the other {}, and has {} of the organisation.",
        rules(decided.len()),
        views.len() - decided.len(),
        rules(org.len())
    );
    Ok(())
}

/// A file of rules, or what is piped in: its name for sentences, and its text.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn read_file(file: &Path) -> Result<(String, String), Failure> {
    let name = if file.as_os_str() == "-" { "(piped in)".into() } else { file.display().to_string() };
    let unreadable = |error: std::io::Error| {
        let text = format!("{name} cannot be read: {error}; name a file of rules that may be read, or - for a pipe");
        Failure::new(2, text)
    };
    let text = text_of(file).map_err(unreadable)?;
    Ok((name, text))
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

/// A rule that a person may have a word on, or one that only the organisation decides.
#[derive(Debug, Clone, Copy)]
enum Rule<'a> {
    Shared(&'a RuleView),
    Org(&'a OrgRuleView),
}

/// The rule of that name; the table of a shared one may be left out.
fn find<'a>(rules: &'a RulesView, key: &str) -> Result<Rule<'a>, Failure> {
    let named = |rule: &&RuleView| rule.key == key || rule.key.split_once('.').is_some_and(|(_, name)| name == key);
    let shared = rules.rules.iter().find(named).map(Rule::Shared);
    let org = || rules.org.iter().find(|rule| rule.key == key).map(Rule::Org);
    shared.or_else(org).ok_or_else(|| {
        let text = match meaning(key) {
            Some(meaning) => format!("nobody has decided {key} ({meaning})"),
            None => format!("there is no rule \"{key}\"; see all of them: lull policy list"),
        };
        Failure::new(3, text)
    })
}

fn table(rules: &RulesView) -> Vec<Vec<String>> {
    let headings = ["RULE", "VALUE", "WHOSE WORD", "LOCKED", "OVERRODE"].map(String::from).to_vec();
    let row = |rule: &RuleView| {
        let locked = if rule.locked { "locked" } else { "-" };
        vec![rule.key.clone(), value(&rule.value), who(rule.source).into(), locked.into(), overrode(&rule.said)]
    };
    let org = |rule: &OrgRuleView| {
        vec![rule.key.clone(), rule.value.clone(), who(rule.source).into(), "locked".into(), overrode(&rule.said)]
    };
    std::iter::once(headings).chain(rules.rules.iter().map(row)).chain(rules.org.iter().map(org)).collect()
}

fn org_explained(rule: &OrgRuleView, rules: &RulesView) -> Vec<Vec<String>> {
    let mut rows = vec![(rule.key.as_str(), rule.value.clone())];
    rows.extend(meaning(&rule.key).map(|meaning| ("means", meaning)));
    rows.extend([("whose word", whose(rule.source, rules)), ("overrode", overrode(&rule.said))]);
    rows.into_iter().map(|(name, text)| vec![name.to_owned(), text]).collect()
}

/// Where a word stands.
fn place(source: RuleSource, rules: &RulesView) -> String {
    match source {
        RuleSource::Default => "nobody's: Lull's own choice".to_owned(),
        RuleSource::Settings => rules.settings_file.clone(),
        RuleSource::Policy => rules.policy.as_ref().map_or_else(|| "its signed policy".into(), signed),
        RuleSource::Organisation => rules.machine_file.clone().unwrap_or_else(|| "its rules".into()),
    }
}

fn whose(source: RuleSource, rules: &RulesView) -> String {
    let place = place(source, rules);
    match source {
        RuleSource::Default => place,
        RuleSource::Settings => format!("yours: {place}"),
        RuleSource::Policy | RuleSource::Organisation => format!("your organisation's: {place}"),
    }
}

fn signed(policy: &PolicyView) -> String {
    let until = when::past(policy.until_unix_s.saturating_mul(1_000), &TimeZone::system());
    format!("its signed policy, version {}, until {until}", policy.version)
}

fn explained(rule: &RuleView, rules: &RulesView) -> Vec<Vec<String>> {
    let organisation = place(rule.source, rules);
    let locked = match (rule.locked, rule.stricter) {
        (false, _) => "no: it is up to you".to_owned(),
        (true, true) => format!("yes: you can be stricter, not looser; ask whoever wrote {organisation}"),
        (true, false) => format!("yes: only {organisation} can change it"),
    };
    let may_be = if rule.locked && !rule.stricter { "only what it is".to_owned() } else { range(&rule.control) };
    let mut rows = vec![(rule.key.as_str(), value(&rule.value))];
    rows.extend(meaning(&rule.key).map(|meaning| ("means", meaning)));
    rows.extend([
        ("whose word", whose(rule.source, rules)),
        ("locked", locked),
        ("may be", may_be),
        ("overrode", overrode(&rule.said)),
    ]);
    rows.into_iter().map(|(name, text)| vec![name.to_owned(), text]).collect()
}

/// A rule's title and what it does, in the app's words.
fn meaning(key: &str) -> Option<String> {
    let (title, help) = rule_meaning(key, Lang::En)?;
    Some(format!("{title}: {help}"))
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
        RuleSource::Policy => "policy",
        RuleSource::Organisation => "organisation",
    }
}

/// What else was said and does not count as it was said.
fn overrode(said: &[RuleSaid]) -> String {
    let said: Vec<_> = said.iter().map(|said| format!("{} said {}", who(said.source), said.said)).collect();
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
        let (settings, machine) =
            (Settings::parse("s", settings).unwrap(), lull_policy::Policy::parse("m", machine).unwrap());
        let effective = resolve(Some(&settings), None, Some(&machine));
        RulesView {
            rules: effective.views(),
            org: effective.org_views(),
            labels: Vec::new(),
            policy: None,
            settings_file: "/home/a/settings.toml".into(),
            machine_file: Some("/etc/lull/policy.toml".into()),
            broken: None,
        }
    }

    fn shared<'a>(rules: &'a RulesView, key: &str) -> &'a RuleView {
        match find(rules, key).unwrap() {
            Rule::Shared(rule) => rule,
            Rule::Org(rule) => panic!("{rule:?}"),
        }
    }

    #[test]
    fn what_only_the_organisation_decides_is_explained_too() {
        let rules = view("", "[labels.confidential]\nlenders = [\"finance\"]\n");
        let row = row_of(&rules, "labels.confidential.lenders");
        assert_eq!(row[1..4], ["[\"finance\"]", "organisation", "locked"]);
        let Rule::Org(rule) = find(&rules, "labels.confidential.lenders").unwrap() else {
            panic!("it is the organisation's")
        };
        let lines: Vec<_> = org_explained(rule, &rules).into_iter().map(|row| row.join(": ")).collect();
        assert!(lines[1].starts_with("means: Machines that may see it: "), "{lines:?}");
        assert_eq!(lines[2], "whose word: your organisation's: /etc/lull/policy.toml");
        let silent = format!("{:?}", find(&rules, "labels.internal.lenders").unwrap_err());
        assert!(silent.contains("nobody has decided labels.internal.lenders"), "{silent}");
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
            let rows = explained(shared(&rules, key), &rules);
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
        assert_eq!(shared(&rules, "tier").key, "sandbox.tier");
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
        assert_eq!(shared(&found, "idle_minutes").value, RuleValue::Number(7.0));
        for command in [Policy::List { json: false }, Policy::Explain { key: "lend.idle_minutes".into(), json: true }] {
            run(home, command).await.unwrap();
        }
        std::fs::write(&settings, "[lend]\nidle_minute = 7\n").unwrap();
        let failure = run(home, Policy::List { json: true }).await.unwrap_err();
        assert!(format!("{failure:?}").contains("settings.toml:2:1"), "{failure:?}");
        assert_eq!(shared(&rules(home).await.unwrap(), "enabled").value, RuleValue::Switch(false));
    }
}
