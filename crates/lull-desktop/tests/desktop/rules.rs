//! Every key that a policy may have is explained, in the same words, by the command line, the window and the manual.

use std::collections::{BTreeMap, BTreeSet};

use lull_desktop::{Lang, RULE_WORDS, rule_meaning};
use lull_policy::Policy;
use serde_json::Value;

const MANUAL: &str = include_str!("../../../../docs/policy.md");
const SCHEMA: &str = include_str!("../../../../docs/policy.schema.json");

/// What the parser would have known where `text` names something that it does not.
fn known(text: &str) -> BTreeSet<String> {
    let remedy = Policy::parse("policy", text).unwrap_err().remedy;
    let list = remedy.strip_prefix("known here: ").unwrap_or_else(|| panic!("{text}: {remedy}"));
    list.split(", ").map(str::to_owned).collect()
}

/// Each table that the parser knows, with its keys; a table whose names are free has none.
fn parser() -> BTreeMap<String, BTreeSet<String>> {
    let tables = known("qqqqqqqqqqqq = 1");
    let keys = |table: String| {
        let keys = match table.as_str() {
            "labels" => known("[labels.a]\nqqqqqqqqqqqq = 1"),
            "quotas" => known("[[quotas]]\nqqqqqqqqqqqq = 1"),
            "sites" => BTreeSet::new(),
            table => known(&format!("[{table}]\nqqqqqqqqqqqq = 1")),
        };
        (table, keys)
    };
    tables.into_iter().map(keys).collect()
}

/// What the parser knows, written as [`RULE_WORDS`] writes it.
fn keys() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (table, keys) in parser() {
        match table.as_str() {
            "labels" => {
                all.insert("labels.NAME".to_owned());
                all.extend(keys.iter().map(|key| format!("labels.NAME.{key}")));
            }
            // One rule with all its parts.
            "quotas" | "sites" => drop(all.insert(format!("{table}.NAME"))),
            "models" => {
                let names =
                    |key: &String| if key == "bytes" { "models.bytes.NAME".into() } else { format!("models.{key}") };
                all.extend(keys.iter().map(names));
            }
            table => all.extend(keys.iter().map(|key| format!("{table}.{key}"))),
        }
    }
    all
}

#[test]
fn every_key_of_the_parser_has_words_and_no_word_is_without_a_key() {
    let words: BTreeSet<_> = RULE_WORDS.iter().map(|(key, _)| (*key).to_owned()).collect();
    assert_eq!(words, keys());
}

#[test]
fn the_manual_explains_every_key_in_the_words_of_the_app() {
    for key in keys() {
        let (title, help) = rule_meaning(&key, Lang::En).unwrap();
        let section = format!("\n### `{key}`\n**{title}.** {help}\n");
        assert_eq!(MANUAL.matches(&section).count(), 1, "{key}: run `cargo run -p xtask -- bindings`");
    }
    assert_eq!(MANUAL.matches("\n### ").count(), keys().len());
    for part in &parser()["quotas"] {
        assert!(MANUAL.contains(&format!("`{part}`")) || MANUAL.contains(&format!("`{part} =")), "{part}");
    }
}

#[test]
fn the_manuals_example_can_be_followed() {
    let example = MANUAL.rsplit_once("```toml\n").and_then(|(_, rest)| rest.split_once("```")).unwrap().0;
    let policy = Policy::parse("docs/policy.md", example).unwrap();
    assert_eq!((policy.org.quotas.len(), policy.org.labels.len(), policy.org.sites.len()), (2, 2, 2));
}

/// The keys of a table of the schema, whatever a free name leads to left out.
fn properties(table: &Value) -> BTreeSet<String> {
    table["properties"].as_object().map(|keys| keys.keys().cloned().collect()).unwrap_or_default()
}

#[test]
fn the_schema_has_the_keys_of_the_parser() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let parser = parser();
    assert_eq!(properties(&schema), parser.keys().cloned().collect());
    assert_eq!(schema["additionalProperties"], false);
    for (name, keys) in parser {
        let table = &schema["properties"][&name];
        let table = match name.as_str() {
            "labels" | "sites" => &table["additionalProperties"],
            "quotas" => &table["items"],
            _ => table,
        };
        assert_eq!(properties(table), keys, "{name}");
        let open = keys.is_empty() || table["additionalProperties"] == false;
        assert!(open, "{name} takes keys that nobody knows");
    }
}
