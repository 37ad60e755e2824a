//! The manual of an organisation's policy, and its JSON Schema: both from one table of keys and the catalogue's words.

mod schema;
mod table;

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};
use lull_desktop::{Lang, RULE_WORDS, rule_meaning};

pub(crate) use schema::schema;
use table::{Kind, NAME_BYTES_MAX, NAMES_MAX, QUOTAS_MAX, ROWS, Row, TABLES};

/// What is written stands between these two lines of the manual.
const BEGIN: &str = "<!-- Written by `cargo run -p xtask -- bindings` from here -->\n";
const END: &str = "<!-- to here -->\n";

/// The manual with every key as it is now; `page`: the manual as it lies there.
///
/// # Errors
/// When a key has no row, a row no key, or the page no place for them.
pub(crate) fn manual(page: &str) -> Result<String> {
    let missing = || format!("docs/policy.md has no line {}", BEGIN.trim());
    let (head, rest) = page.split_once(BEGIN).with_context(missing)?;
    let (_, foot) = rest.split_once(END).with_context(|| format!("docs/policy.md has no line {}", END.trim()))?;
    let mut text = format!("{head}{BEGIN}");
    for (name, about) in TABLES {
        let brackets = if name == "quotas" { "[[quotas]]".to_owned() } else { format!("[{name}]") };
        writeln!(text, "\n## `{brackets}`: {}{}", about[..1].to_lowercase(), &about[1..])?;
        let rows: Vec<&Row> = rows()?.filter(|row| row.key.split('.').next() == Some(name)).collect();
        for row in rows {
            text.push_str(&section(row)?);
        }
    }
    writeln!(text)?;
    Ok(text + END + foot)
}

/// Every row, once it is sure that they are the rules that have words.
fn rows() -> Result<impl Iterator<Item = &'static Row>> {
    let (rows, words) = (ROWS.map(|row| row.key), RULE_WORDS.map(|(key, _)| key));
    if let Some(key) = rows.iter().find(|key| !words.contains(key)) {
        bail!("{key} has no words: add it to crates/lull-desktop/src/rules.rs");
    }
    if let Some(key) = words.iter().find(|key| !rows.contains(key)) {
        bail!("{key} is not in the manual: add it to xtask/src/manual/table.rs");
    }
    static TABLE: [Row; ROWS.len()] = ROWS;
    Ok(TABLE.iter())
}

fn section(row: &Row) -> Result<String> {
    let Row { key, kind, default, stricter, example } = row;
    let (title, help) = rule_meaning(key, Lang::En).with_context(|| format!("{key} has no words"))?;
    let person = match key.split_once('.') {
        Some((_, "watts_per_thread")) => "may say it where the organisation does not",
        Some(("lend" | "sandbox", _)) => "may be stricter in their own settings, never looser",
        _ => "has no say: this key is the organisation's alone",
    };
    let mut text = format!("\n### `{key}`\n**{title}.** {help}\n\n");
    writeln!(text, "- Values: {}", values(*kind))?;
    writeln!(text, "- Default: {default}")?;
    writeln!(text, "- Of two words: {stricter}")?;
    writeln!(text, "- A person {person}")?;
    match example.contains('\n') {
        true => writeln!(text, "- Example:\n  ```toml\n  {}\n  ```", example.replace('\n', "\n  "))?,
        false => writeln!(text, "- Example: `{example}`")?,
    }
    Ok(text)
}

fn values(kind: Kind) -> String {
    match kind {
        Kind::Flag => "`true` or `false`".into(),
        Kind::Whole { min, max, of, or_zero } => {
            format!("a whole number from {min} to {max}: {of}{}", if or_zero { "; or 0: do not look" } else { "" })
        }
        Kind::Number { min, max, of } => format!("a number from {min} to {max}: {of}"),
        Kind::Hours => "weekly windows such as `\"Mon-Fri 18:00-08:00\"`; an empty list is always, `[\"never\"]` \
                        never; on the machine's own clock"
            .into(),
        Kind::Apps { most, bytes } => format!("at most {most} names of programs, of at most {bytes} bytes each"),
        Kind::Tier => "`\"basic\"` or `\"full\"`; [sandbox.md](sandbox.md) says what each is".into(),
        Kind::Exists => format!(
            "a table, which may be empty; its name has 1 to 32 lower-case letters, digits or hyphens; at most {}",
            table::LABELS_MAX
        ),
        Kind::Names(of) => format!("at most {NAMES_MAX} {of}, of at most {NAME_BYTES_MAX} bytes each; `[]` is none"),
        Kind::Machines => format!("at most {NAMES_MAX} whole ids of machines, as `lull admin nodes` lists them"),
        Kind::Hash => "the 64 digits that `lull models list --json` shows as the model's hash".into(),
        Kind::Text(what) => what.into(),
        Kind::Url => "an address with `https://` (`http://` only on this machine itself, for tests)".into(),
        Kind::Quota => format!(
            "`tokens_per_day` (must be there, from 0 to {}) and, each where it is meant: `group` or `user`, `model`, \
             and `each = true` for a quota of each person instead of one of all together; at most {QUOTAS_MAX} quotas",
            table::TOKENS_MAX
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use lull_policy::Policy;

    use super::*;

    /// The example of a row as a whole policy.
    fn policy(row: &Row) -> String {
        let Row { key, example, .. } = row;
        let rest = key.rsplit_once('.').map_or("", |(table, _)| table).replace("NAME", "confidential");
        match (example.starts_with('['), rest.as_str()) {
            (true, _) => (*example).to_owned(),
            (false, "login") => {
                let needed = ["issuer = \"https://a\"", "client = \"b\""];
                let taken = |line: &&str| !example.starts_with(line.split(' ').next().unwrap());
                let lines: Vec<&str> = needed.iter().copied().filter(taken).chain([*example]).collect();
                format!("[login]\n{}", lines.join("\n"))
            }
            (false, table) => format!("[{table}]\n{example}"),
        }
    }

    #[test]
    fn every_example_can_be_followed_and_says_something() {
        let nothing = Policy::default();
        for row in &ROWS {
            let parsed = Policy::parse(row.key, &policy(row)).unwrap();
            assert_ne!(parsed, nothing, "{}", row.key);
        }
    }

    #[test]
    fn a_range_ends_where_the_parser_ends_it() {
        for row in &ROWS {
            let (table, key) = row.key.rsplit_once('.').unwrap();
            let says = |value: String| Policy::parse("a", &format!("[{table}]\n{key} = {value}")).is_ok();
            match row.kind {
                Kind::Whole { min, max, or_zero, .. } => {
                    assert_eq!([min, max].map(|n| says(n.to_string())), [true, true], "{}", row.key);
                    assert_eq!([min - 1, max + 1].map(|n| says(n.to_string())), [false, false], "{}", row.key);
                    assert_eq!(says("0".into()), or_zero, "{}", row.key);
                }
                Kind::Number { min, max, .. } => {
                    let outside = [min - 0.05, max + 0.05].map(|n| says(format!("{n:?}")));
                    assert_eq!([min, max].map(|n| says(format!("{n:?}"))), [true, true], "{}", row.key);
                    assert_eq!(outside, [false, false], "{}", row.key);
                }
                _ => {}
            }
        }
    }

    #[test]
    fn lists_labels_and_quotas_end_where_the_parser_ends_them() {
        let ok = |text: String| Policy::parse("a", &text).is_ok();
        let names = |count: u64| format!("[use]\ngroups = {:?}", (0..count).map(|n| n.to_string()).collect::<Vec<_>>());
        assert_eq!([NAMES_MAX, NAMES_MAX + 1].map(names).map(ok), [true, false]);
        let name = |bytes: u64| format!("[use]\ngroups = [\"{}\"]", "a".repeat(usize::try_from(bytes).unwrap()));
        assert_eq!([NAME_BYTES_MAX, NAME_BYTES_MAX + 1].map(name).map(ok), [true, false]);
        let labels = |count: u64| (0..count).map(|n| format!("[labels.l{n}]\n")).collect::<String>();
        assert_eq!([table::LABELS_MAX, table::LABELS_MAX + 1].map(labels).map(ok), [true, false]);
        let quotas = |count: u64| (0..count).map(|n| format!("[[quotas]]\ntokens_per_day = {n}\n")).collect::<String>();
        assert_eq!([QUOTAS_MAX, QUOTAS_MAX + 1].map(quotas).map(ok), [true, false]);
        let tokens = |count: u64| format!("[[quotas]]\ntokens_per_day = {count}");
        assert_eq!([table::TOKENS_MAX, table::TOKENS_MAX + 1].map(tokens).map(ok), [true, false]);
    }

    #[test]
    fn the_page_keeps_what_people_wrote_around_the_keys() {
        let page = format!("# Head\n{BEGIN}what was here before\n{END}foot\n");
        let new = manual(&page).unwrap();
        assert!(new.starts_with("# Head\n") && new.ends_with("foot\n") && !new.contains("was here before"), "{new}");
        assert_eq!(manual(&new).unwrap(), new);
        let tables: BTreeSet<_> = ROWS.iter().filter_map(|row| row.key.split('.').next()).collect();
        assert_eq!(tables, TABLES.iter().map(|(name, _)| *name).collect());
        assert!(manual("# Head\n").is_err());
    }
}
