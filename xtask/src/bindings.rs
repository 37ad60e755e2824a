//! What the window takes from Rust: the door's types, every word, and which words a rule has, as TypeScript; and the
//! manual of a policy with its schema, from the same words.

use std::{any::TypeId, collections::BTreeMap, fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, Result, bail};
use lull_desktop::{Lang, RULE_WORDS, catalogue};
use lull_types::{ChatEvent, ChatRequest, Event, Label, Page, Request, Response};
use ts_rs::{Config, TS, TypeVisitor};

use crate::manual::{manual, schema};

const TYPES: &str = "ui/src/lib/door.gen.ts";
const ENGLISH: &str = "ui/src/lib/words/en.gen.ts";
const GERMAN: &str = "ui/src/lib/words/de.gen.ts";
const RULES: &str = "ui/src/lib/rule-words.gen.ts";
const MANUAL: &str = "docs/policy.md";
const SCHEMA: &str = "docs/policy.schema.json";
const HEAD: &str = "// Written by `cargo run -p xtask -- bindings`.\n";

/// Types that the window goes through variant by variant: name, and what their list is called.
const LISTS: [(&str, &str); 4] = [("Code", "CODES"), ("Signal", "SIGNALS"), ("Layer", "LAYERS"), ("Stored", "STORED")];

/// Writes the files, or with `--check` says which is not as it would be written.
///
/// # Errors
/// When a file is out of date or cannot be written.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let check = args.iter().any(|arg| arg == "--check");
    let mut stale = Vec::new();
    let page = fs::read_to_string(MANUAL).context(MANUAL)?;
    let files = [
        (TYPES, types()?),
        (ENGLISH, english()?),
        (GERMAN, german()?),
        (RULES, rules()?),
        (MANUAL, manual(&page)?),
        (SCHEMA, schema()?),
    ];
    for (path, text) in files {
        let there = fs::read_to_string(path).unwrap_or_default();
        if there == text {
            continue;
        }
        if check {
            stale.push(path);
        } else {
            fs::write(path, text).with_context(|| Path::new(path).display().to_string())?;
            println!("bindings: wrote {path}");
        }
    }
    if !stale.is_empty() {
        bail!("{} differ from Rust: run `cargo run -p xtask -- bindings`", stale.join(" and "));
    }
    Ok(())
}

/// Every type that one of the door's reaches, by name.
struct Reached<'a> {
    config: &'a Config,
    seen: Vec<TypeId>,
    declared: BTreeMap<String, (String, Option<String>)>,
}

impl TypeVisitor for Reached<'_> {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        if self.seen.contains(&TypeId::of::<T>()) {
            return;
        }
        self.seen.push(TypeId::of::<T>());
        // Numbers, texts and lists have no file of their own, and only their parts are declared.
        if T::output_path().is_some() {
            self.declared.insert(T::ident(self.config), (T::decl(self.config), T::docs()));
        }
        T::visit_dependencies(self);
        T::visit_generics(self);
    }
}

fn types() -> Result<String> {
    // Bytes, microseconds and dates: all fit a double.
    let config = Config::new().with_large_int("number");
    let mut reached = Reached { config: &config, seen: Vec::new(), declared: BTreeMap::new() };
    reached.visit::<Request>();
    reached.visit::<Response>();
    reached.visit::<Event>();
    reached.visit::<ChatRequest>();
    reached.visit::<ChatEvent>();
    let mut text = format!("{HEAD}\n");
    for (name, (declared, docs)) in &reached.declared {
        let sentence = docs.as_deref().map(first_sentence).unwrap_or_default();
        if let Some((_, list)) = LISTS.iter().find(|(listed, _)| listed == name) {
            let variants = variants(declared).with_context(|| format!("{name} is more than names: {declared}"))?;
            writeln!(text, "export const {list} = [{variants}] as const;")?;
            writeln!(text, "{sentence}export type {name} = (typeof {list})[number];")?;
        } else {
            writeln!(text, "{sentence}export {}", in_lines(declared))?;
        }
    }
    let labels = Label::all().map(|label| format!("\"{label}\""));
    writeln!(text, "/** The labels that every organisation has, the most open first. */")?;
    writeln!(text, "export const LABELS = [{}] as const;", labels.join(", "))?;
    writeln!(text, "/** Where the window finds a page: the end of its address. */")?;
    writeln!(text, "export const PATHS: Record<Page, string> = {{")?;
    for page in Page::ALL {
        writeln!(text, "  {}: \"{}\",", serde_json::to_string(&page)?, page.path())?;
    }
    text.push_str("};\n");
    Ok(text)
}

/// A declaration whose comments have a line each instead of three.
fn in_lines(declared: &str) -> String {
    declared.replace(" \n/**\n * ", "\n  /** ").replace("\n */\n", " */\n  ").replace("\n * ", " ")
}

/// Rust's documentation as a comment of one line.
fn first_sentence(docs: &str) -> String {
    let line = docs.lines().map(|line| line.trim_start_matches(['/', '*', ' ']).trim()).find(|line| !line.is_empty());
    line.map(|line| format!("/** {line} */\n")).unwrap_or_default()
}

/// The names of a type that is nothing but names.
fn variants(declared: &str) -> Option<String> {
    let (_, union) = declared.split_once('=')?;
    let names: Vec<&str> = union.trim().trim_end_matches(';').split('|').map(str::trim).collect();
    names.iter().all(|name| name.starts_with('"') && name.ends_with('"')).then(|| names.join(", "))
}

fn english() -> Result<String> {
    let mut text = format!("{HEAD}\n");
    writeln!(text, "/** Every word of the window, in English. `{{name}}` is a placeholder; backticks mark code. */")?;
    writeln!(text, "export const en = {{\n{}}} as const;\n\nexport type Key = keyof typeof en;", words(Lang::En)?)?;
    Ok(text)
}

fn german() -> Result<String> {
    let mut text = format!("{HEAD}import type {{ Key }} from \"./en.gen\";\n\n");
    writeln!(text, "/** Every word of the window, in German. */")?;
    writeln!(text, "export const de: Record<Key, string> = {{\n{}}};", words(Lang::De)?)?;
    Ok(text)
}

fn rules() -> Result<String> {
    let mut text = format!("{HEAD}import type {{ Key }} from \"./words/en.gen\";\n\n");
    writeln!(
        text,
        "/** Each rule's key, and the word that its title and, with `_help`, what it does are called by. */"
    )?;
    writeln!(text, "export const RULE_WORDS = [")?;
    for (key, word) in RULE_WORDS {
        writeln!(text, "  [\"{key}\", \"{word}\"],")?;
    }
    writeln!(text, "] as const satisfies readonly (readonly [string, Key])[];")?;
    Ok(text)
}

/// One line for each word.
fn words(lang: Lang) -> Result<String> {
    let mut text = String::new();
    for (key, word) in catalogue(lang) {
        writeln!(text, "  {key}: {},", serde_json::to_string(word)?)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_type_of_names_has_a_list() {
        assert_eq!(variants("type A = \"x\" | \"y\";").as_deref(), Some("\"x\", \"y\""));
        assert_eq!(variants("type A = \"x\" | { \"y\": number };"), None);
        assert_eq!(variants("type A = string;"), None);
    }

    #[test]
    fn what_the_door_reaches_is_declared_once_and_large_numbers_are_numbers() {
        let text = types().unwrap();
        for name in ["RulesView", "UsedDay", "StoredView", "Prefs", "Reason", "Answered", "Fault", "Until"] {
            assert_eq!(text.matches(&format!("export type {name} =")).count(), 1, "{name}");
        }
        assert!(!text.contains("bigint"), "{text}");
    }
}
