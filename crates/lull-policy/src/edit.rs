use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

use crate::{PolicyError, Settings};

/// The same settings with `lend.enabled` as given. Comments, order and everything else stay as their author left them.
///
/// # Errors
/// [`PolicyError`] when the text cannot be followed as it is: nothing is put on top of what is broken.
pub fn set_enabled(file: &str, text: &str, on: bool) -> Result<String, PolicyError> {
    Settings::parse(file, text)?;
    let unwritable = |problem: String| PolicyError {
        file: file.to_owned(),
        line: 1,
        column: 1,
        problem,
        remedy: format!("write `enabled = {on}` below a line `[lend]` yourself"),
    };
    let mut document: DocumentMut = text.parse().map_err(|error| unwritable(format!("this is not TOML ({error})")))?;
    let lend = document.entry("lend").or_insert_with(|| Item::Table(Table::new()));
    let table = lend.as_table_like_mut().ok_or_else(|| unwritable("`lend` is not a table".into()))?;
    put(table, on);
    let edited = document.to_string();
    match Settings::parse(file, &edited) {
        Ok(settings) if settings.lend.enabled == Some(on) => Ok(edited),
        _ => Err(unwritable("it cannot be changed without being broken".into())),
    }
}

/// A comment behind the old value stays behind the new one.
fn put(table: &mut dyn TableLike, on: bool) {
    let mut fresh = Value::from(on);
    match table.get_mut("enabled") {
        Some(Item::Value(old)) => {
            *fresh.decor_mut() = old.decor().clone();
            *old = fresh;
        }
        _ => {
            table.insert("enabled", Item::Value(fresh));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rules::tests::{any_rules, any_sandbox};

    #[test]
    fn what_a_person_wrote_stays() {
        let text = "# my machine\n\n[lend] # nights\nidle_minutes = 10 # coffee\nenabled   =  false   # for now\napps = [\n  \"blender\", # work\n]\n# end\n";
        let expected = text.replace("  false ", "  true ");
        assert_eq!(set_enabled("a", text, true).unwrap(), expected);
        assert_eq!(set_enabled("a", &expected, true).unwrap(), expected);
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
    }

    #[test]
    fn what_is_broken_is_not_touched() {
        let error = set_enabled("settings.toml", "[lend]\nidle_minute = 5", true).unwrap_err();
        assert!(error.to_string().starts_with("settings.toml:2:1: "), "{error}");
    }

    proptest! {
        #[test]
        fn only_that_key_changes(lend in any_rules(4), sandbox in any_sandbox(), on in any::<bool>()) {
            let mut settings = Settings { lend, sandbox };
            let edited = set_enabled("a", &settings.to_string(), on).unwrap();
            settings.lend.enabled = Some(on);
            prop_assert_eq!(Settings::parse("a", &edited).unwrap(), settings);
        }
    }
}
