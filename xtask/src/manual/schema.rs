//! The JSON Schema (2020-12) of a policy, for editors.

use anyhow::{Context as _, Result};
use lull_desktop::{Lang, rule_meaning};
use serde_json::{Map, Value, json};

use super::{
    rows,
    table::{Kind, LABELS_MAX, NAME_BYTES_MAX, NAMES_MAX, QUOTAS_MAX, Row, TABLES, TOKENS_MAX},
};

/// What a name of a group, site, user or model looks like; it is at most [`NAME_BYTES_MAX`] long.
const NAME: &str = r"^\S(.*\S)?$";

/// The schema as it is written.
///
/// # Errors
/// When a key has no row, or a row no key.
pub(crate) fn schema() -> Result<String> {
    let mut tables = Map::new();
    for (name, about) in TABLES {
        tables.insert(name.into(), json!({ "type": "object", "description": about, "additionalProperties": false }));
    }
    let mut root = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The policy of an organisation that uses Lull",
        "description": "Written by `cargo run -p xtask -- bindings`. docs/policy.md explains each key.",
        "type": "object",
        "additionalProperties": false,
        "properties": tables,
    });
    for row in rows()? {
        put(&mut root, row).with_context(|| format!("{} has no place in the schema", row.key))?;
    }
    Ok(format!("{root:#}\n"))
}

fn put(root: &mut Value, row: &Row) -> Option<()> {
    let (title, help) = rule_meaning(row.key, Lang::En)?;
    let mut place = &mut *root;
    for part in row.key.split('.') {
        let table = place.as_object_mut()?;
        if part != "NAME" {
            let entries = table.entry("properties").or_insert_with(|| json!({}));
            place = entries.as_object_mut()?.entry(part).or_insert_with(|| open(part));
            continue;
        }
        if let Kind::Quota = row.kind {
            table.remove("additionalProperties");
            table.insert("type".into(), json!("array"));
            table.insert("maxItems".into(), json!(QUOTAS_MAX));
            place = table.entry("items").or_insert_with(|| json!({}));
            continue;
        }
        if let Kind::Exists = row.kind {
            table.insert("propertyNames".into(), json!({ "pattern": "^[a-z0-9-]{1,32}$" }));
            table.insert("maxProperties".into(), json!(LABELS_MAX));
        } else if !table.contains_key("propertyNames") {
            table.insert("propertyNames".into(), name());
        }
        let named = table.get_mut("additionalProperties")?;
        if !named.is_object() {
            *named = json!({});
        }
        place = named;
    }
    let own = place.as_object_mut()?;
    own.insert("title".into(), json!(title));
    own.insert(
        "description".into(),
        json!(format!("{help} Default: {}. Of two words: {}.", row.default, row.stricter)),
    );
    own.extend(shape(row.kind).as_object()?.clone());
    if row.key == "login.client" {
        root.get_mut("properties")?
            .get_mut("login")?
            .as_object_mut()?
            .insert("required".into(), json!(["issuer", "client"]));
    }
    Some(())
}

/// A table within a table, or a key that says what it is afterwards.
fn open(part: &str) -> Value {
    if part == "bytes" { json!({ "type": "object", "additionalProperties": false }) } else { json!({}) }
}

fn name() -> Value {
    json!({ "type": "string", "pattern": NAME, "maxLength": NAME_BYTES_MAX })
}

fn list(of: Value, most: u64) -> Value {
    json!({ "type": "array", "items": of, "maxItems": most })
}

fn shape(kind: Kind) -> Value {
    match kind {
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Whole { min, max, or_zero: true, .. } => {
            json!({ "anyOf": [{ "const": 0 }, { "type": "integer", "minimum": min, "maximum": max }] })
        }
        Kind::Whole { min, max, .. } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Number { min, max, .. } => json!({ "type": "number", "minimum": min, "maximum": max }),
        Kind::Hours => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Apps { most, bytes } => {
            let app = json!({ "type": "string", "pattern": NAME, "maxLength": bytes });
            json!({ "type": "array", "items": app, "maxItems": most })
        }
        Kind::Tier => json!({ "enum": ["basic", "full"] }),
        Kind::Exists => json!({ "type": "object", "additionalProperties": false }),
        Kind::Names(_) => list(name(), NAMES_MAX),
        Kind::Machines => list(json!({ "type": "string", "pattern": "^[0-9a-f]{32}$" }), NAMES_MAX),
        Kind::Hash => json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" }),
        Kind::Text(_) => name(),
        Kind::Url => json!({
            "type": "string",
            "maxLength": NAME_BYTES_MAX,
            "pattern": r"^(https://|http://(127\.0\.0\.1|localhost|\[::1\])([:/]|$))",
        }),
        Kind::Quota => json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["tokens_per_day"],
            "not": { "required": ["group", "user"] },
            "properties": {
                "group": name(),
                "user": name(),
                "model": name(),
                "each": { "type": "boolean" },
                "tokens_per_day": { "type": "integer", "minimum": 0, "maximum": TOKENS_MAX },
            },
        }),
    }
}
