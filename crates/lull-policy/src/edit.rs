use std::{collections::BTreeMap, ops::Range};

use lull_types::{Code, Fault, RuleValue};
use toml_edit::{Array, Document, DocumentMut, Item, Table, TableLike, Value};

use crate::{
    Effective, Policy, PolicyError, Settings, resolve,
    rules::{KEYS, SANDBOX_KEYS},
};

/// So much of a rule's name is repeated in errors, in characters.
const KEY_CHARS_SHOWN: usize = 64;

/// Why a rule was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The file cannot be followed as it is: nothing is put on top of what is broken.
    #[error(transparent)]
    File(PolicyError),
    /// What is to be put there is wrong.
    #[error("{key}: {problem}; {remedy}")]
    Value {
        /// The rule.
        key: String,
        /// What is wrong.
        problem: String,
        /// What would be right.
        remedy: String,
    },
}

impl From<EditError> for Fault {
    fn from(error: EditError) -> Self {
        match error {
            EditError::File(error) => error.into(),
            EditError::Value { .. } => Self::new(Code::BadRequest, error.to_string()),
        }
    }
}

/// The same settings with `lend.enabled` as given.
///
/// # Errors
/// Those of [`set`].
pub fn set_enabled(file: &str, text: &str, on: bool) -> Result<String, EditError> {
    set(file, text, "lend.enabled", Some(&RuleValue::Switch(on)))
}

/// The same settings with one rule as given; `key` is table and key, such as `lend.enabled`, and no value takes the
/// person's word away. Comments, order and everything else stay as their author left them.
///
/// # Errors
/// [`EditError`] when the text cannot be followed as it is, there is no such rule, or it cannot be given that value.
pub fn set(file: &str, text: &str, key: &str, value: Option<&RuleValue>) -> Result<String, EditError> {
    let wrong = |problem: String, remedy: &str| {
        let key = key.chars().take(KEY_CHARS_SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
        EditError::Value { key, problem, remedy: remedy.to_owned() }
    };
    let before = Settings::parse(file, text).map_err(EditError::File)?;
    let (table, name) =
        split(key).ok_or_else(|| wrong("there is no such rule".into(), "docs/lending.md lists the rules"))?;
    let value = match value {
        Some(value) => toml(name, value).map_err(|problem| wrong(problem.into(), "give it a value of its own kind"))?,
        None => None,
    };
    let edited = match &value {
        Some(value) => put(text, table, name, value.clone()),
        None => take(text, table, name),
    };
    let by_hand = "change it in the file yourself";
    let edited = edited.ok_or_else(|| wrong(format!("{file} is written in a way that Lull cannot change"), by_hand))?;
    let after = Settings::parse(file, &edited).map_err(|error| wrong(error.problem, &error.remedy))?;
    let (mut expected, mut found) = (words(&before), words(&after));
    let (_, word) = (expected.remove(key), found.remove(key));
    // A rule may be written in more than one way: what is there was read, and that it is the wished one is enough.
    if expected == found && word.is_some() == value.is_some() {
        return Ok(edited);
    }
    Err(wrong(format!("{file} cannot be changed there without changing more"), by_hand))
}

/// Whether a person's word on a rule, as these settings have it, asks for more than their organisation allows. It is
/// never followed; who asks for it is to be told.
#[must_use]
pub fn loosens(settings: &Settings, policy: Option<&Policy>, machine: Option<&Policy>, key: &str) -> bool {
    if !words(settings).contains_key(key) {
        return false;
    }
    let (own, both) = (resolve(Some(settings), None, None), resolve(Some(settings), policy, machine));
    if key == "lend.apps" {
        return both.apps.value.iter().any(|app| !own.apps.value.contains(app));
    }
    let value = |rules: &Effective| {
        let row = rules.rows().into_iter().find(|row| key.split_once('.') == Some((row.table, row.key)));
        row.and_then(|row| row.value)
    };
    value(&own) != value(&both)
}

/// Table and key of a rule that there is.
fn split(key: &str) -> Option<(&str, &str)> {
    let (table, name) = key.split_once('.')?;
    let known = match table {
        "lend" => KEYS.contains(&name),
        "sandbox" => SANDBOX_KEYS.contains(&name),
        _ => false,
    };
    known.then_some((table, name))
}

/// The value as it is written; `None`: by saying nothing.
fn toml(name: &str, value: &RuleValue) -> Result<Option<Value>, &'static str> {
    let list = |texts: &[String]| Value::from(texts.iter().collect::<Array>());
    let fractions = matches!(name, "other_cores" | "watts_per_thread");
    Ok(Some(match value {
        RuleValue::Switch(on) => Value::from(*on),
        // Minus zero is written as zero.
        RuleValue::Number(number) if fractions => Value::from(*number + 0.0),
        RuleValue::Number(number) => Value::from(whole(*number).ok_or("it must be a whole number")?),
        RuleValue::NoLimit => match name {
            "max_celsius" => Value::from(0),
            "other_cores" => Value::from(0.0),
            "threads" => return Ok(None),
            _ => return Err("it cannot be without a limit"),
        },
        RuleValue::Hours(texts) | RuleValue::Names(texts) => list(texts),
        RuleValue::Choice(text) => Value::from(text.as_str()),
    }))
}

fn whole(number: f64) -> Option<i64> {
    let fits = number.fract() == 0.0 && number.abs() < f64::from(i32::MAX);
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and far from the ends")]
    fits.then_some(number as i64)
}

/// What settings say, by key.
fn words(settings: &Settings) -> BTreeMap<String, String> {
    let lend = settings.lend.values().map(|(key, value)| (format!("lend.{key}"), plain(&value)));
    let tier = settings.sandbox.tier.map(|tier| (format!("sandbox.{}", SANDBOX_KEYS[0]), plain(&tier.name().into())));
    lend.chain(tier).collect()
}

fn plain(value: &Value) -> String {
    let mut value = value.clone();
    value.decor_mut().clear();
    value.to_string()
}

fn put(text: &str, table: &str, name: &str, value: Value) -> Option<String> {
    let mut document: DocumentMut = text.parse().ok()?;
    let item = document.entry(table).or_insert_with(|| Item::Table(Table::new()));
    write(item.as_table_like_mut()?, name, value);
    Some(document.to_string())
}

/// A comment behind the old value stays behind the new one.
fn write(table: &mut dyn TableLike, name: &str, mut fresh: Value) {
    match table.get_mut(name) {
        Some(Item::Value(old)) => {
            *fresh.decor_mut() = old.decor().clone();
            *old = fresh;
        }
        _ => {
            table.insert(name, Item::Value(fresh));
        }
    }
}

fn take(text: &str, table: &str, name: &str) -> Option<String> {
    let document = Document::parse(text).ok()?;
    let Some(found) = document.get(table) else { return Some(text.to_owned()) };
    if found.is_inline_table() {
        let mut document: DocumentMut = text.parse().ok()?;
        document.get_mut(table)?.as_inline_table_mut()?.remove(name);
        return Some(document.to_string());
    }
    let Some((key, item)) = found.as_table_like()?.get_key_value(name) else { return Some(text.to_owned()) };
    Some(cut(text, key.span()?.start..item.span()?.end))
}

/// Without one key and its value, which have their lines to themselves; a comment behind them keeps its place.
fn cut(text: &str, span: Range<usize>) -> String {
    let start = text[..span.start].rfind('\n').map_or(0, |end| end + 1);
    let rest = &text[span.end..];
    let (line, after) = rest.split_at(rest.find('\n').map_or(rest.len(), |end| end + 1));
    let comment = if line.trim().is_empty() { "" } else { line.trim_start() };
    format!("{}{comment}{after}", &text[..start])
}

#[cfg(test)]
#[path = "edit_tests.rs"]
mod tests;
