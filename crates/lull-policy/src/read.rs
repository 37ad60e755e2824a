//! From text to values by hand, so that every error has its place, its reason and its remedy.

use std::ops::{Range, RangeInclusive};

use lull_types::Tier;
use toml_edit::{Document, Item, TableLike, Value};

use crate::{
    Hours, PolicyError,
    read_org::ORG_TABLES,
    rules::{
        APP_BYTES_MAX, APPS_MAX, CELSIUS_MAX, CELSIUS_MIN, DISK_GIB_MAX, IDLE_MINUTES_MAX, KEYS, LendRules,
        MEMORY_PERCENT_MAX, OTHER_CORES_MAX, Policy, SANDBOX_KEYS, SandboxRules, THREADS_MAX, WATTS_PER_THREAD_MAX,
    },
};

/// The longest file of settings or rules, in bytes.
pub const TEXT_BYTES_MAX: usize = 256 * 1024;
/// How alike two names must be, from 0 to 1, for one to be taken for a slip of the other.
const ALIKE_MIN: f64 = 0.6;

/// A text of a list, and where it stands.
type Placed<'a> = (Option<Range<usize>>, &'a str);
pub(crate) type Result<T> = std::result::Result<T, PolicyError>;

/// The tables of a machine's limits.
const MACHINE_TABLES: [&str; 2] = ["lend", "sandbox"];

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Author {
    /// A person's, about their machine.
    Person,
    /// The organisation's, about everything.
    Organisation,
}

pub(crate) fn tables(file: &str, text: &str, author: Author) -> Result<Policy> {
    let known: Vec<&str> = match author {
        Author::Person => MACHINE_TABLES.to_vec(),
        Author::Organisation => MACHINE_TABLES.into_iter().chain(ORG_TABLES).collect(),
    };
    let file = File { file, text };
    if text.len() > TEXT_BYTES_MAX {
        let problem = format!("the file has {} bytes, the most is {TEXT_BYTES_MAX}", text.len());
        return Err(file.fault(None, problem, "keep in it what is needed"));
    }
    let document = Document::parse(text).map_err(|error| {
        let problem = format!("this is not TOML ({})", error.message().lines().collect::<Vec<_>>().join(", "));
        file.fault(error.span(), problem, "write `key = value` below a line `[lend]`")
    })?;
    let mut tables = Policy::default();
    for (name, item) in document.as_table().iter() {
        if !known.contains(&name) {
            return Err(file.unknown(document.as_table(), name, "table or key", &known));
        }
        if !MACHINE_TABLES.contains(&name) {
            file.set_org(&mut tables.org, name, item)?;
            continue;
        }
        let Some(table) = item.as_table_like() else {
            let problem = format!("`{name}` is {}, not a table", kind(item));
            return Err(file.fault(item.span(), problem, format!("write `[{name}]` once, alone on a line")));
        };
        for (key, item) in table.iter() {
            let (known, keys): (bool, &[&str]) = match name {
                "sandbox" => (file.set_sandbox(&mut tables.sandbox, key, item)?, &SANDBOX_KEYS),
                _ => (file.set(&mut tables.lend, key, item)?, &KEYS),
            };
            if !known {
                return Err(file.unknown(table, key, &format!("key in `[{name}]`"), keys));
            }
        }
    }
    Ok(tables)
}

/// A text and how its reader calls it.
pub(crate) struct File<'a> {
    file: &'a str,
    text: &'a str,
}

impl File<'_> {
    pub(crate) fn fault(
        &self,
        at: Option<Range<usize>>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> PolicyError {
        let before = self.text.get(..at.map_or(0, |at| at.start)).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        PolicyError {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    pub(crate) fn unknown(&self, table: &dyn TableLike, name: &str, what: &str, known: &[&str]) -> PolicyError {
        let found = table.get_key_value(name);
        let at = found.and_then(|(key, item)| key.span().or_else(|| item.span()));
        let alike = known
            .iter()
            .map(|known| (strsim::normalized_damerau_levenshtein(&name.to_lowercase(), known), *known))
            .filter(|(likeness, _)| *likeness >= ALIKE_MIN)
            .max_by(|(a, _), (b, _)| a.total_cmp(b));
        let remedy = match alike {
            Some((_, meant)) => format!("did you mean `{meant}`?"),
            None => format!("known here: {}", known.join(", ")),
        };
        self.fault(at, format!("`{}` is not a known {what}", short(name)), remedy)
    }

    /// Reads one key into its place; false if there is no such key.
    fn set(&self, rules: &mut LendRules, key: &str, item: &Item) -> Result<bool> {
        match key {
            "enabled" => rules.enabled = Some(self.flag(key, item)?),
            "idle_minutes" => rules.idle_minutes = Some(self.whole(key, item, 1..=IDLE_MINUTES_MAX, false, 5)?),
            "on_battery" => rules.on_battery = Some(self.flag(key, item)?),
            "metered" => rules.metered = Some(self.flag(key, item)?),
            "hours" => rules.hours = Some(self.hours(item)?),
            "max_celsius" => rules.max_celsius = Some(self.whole(key, item, CELSIUS_MIN..=CELSIUS_MAX, true, 80)?),
            "other_cores" => rules.other_cores = Some(self.number(key, item, 0.0..=OTHER_CORES_MAX, 0.6)?),
            "calls" => rules.calls = Some(self.flag(key, item)?),
            "films" => rules.films = Some(self.flag(key, item)?),
            "full_screen" => rules.full_screen = Some(self.flag(key, item)?),
            "remote" => rules.remote = Some(self.flag(key, item)?),
            "apps" => rules.apps = Some(self.apps(item)?),
            "threads" => rules.threads = Some(self.whole(key, item, 1..=THREADS_MAX, false, 4)?),
            "memory_percent" => {
                rules.memory_percent = Some(self.whole(key, item, 1..=MEMORY_PERCENT_MAX, false, 50)?);
            }
            "disk_gib" => rules.disk_gib = Some(self.whole(key, item, 1..=DISK_GIB_MAX, false, 50)?),
            "watts_per_thread" => {
                rules.watts_per_thread = Some(self.number(key, item, 0.1..=WATTS_PER_THREAD_MAX, 6.0)?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Reads one key of `[sandbox]` into its place; false if there is no such key.
    fn set_sandbox(&self, rules: &mut SandboxRules, key: &str, item: &Item) -> Result<bool> {
        if key != SANDBOX_KEYS[0] {
            return Ok(false);
        }
        let remedy = || "write `tier = \"basic\"` or `tier = \"full\"`";
        let Some(text) = item.as_str() else {
            return Err(self.fault(item.span(), format!("`{key}` is {}", kind(item)), remedy()));
        };
        let tier = Tier::ALL.into_iter().find(|tier| tier.name() == text);
        let unknown = || self.fault(item.span(), format!("`{key}` is \"{}\"", short(text)), remedy());
        rules.tier = Some(tier.ok_or_else(unknown)?);
        Ok(true)
    }

    pub(crate) fn flag(&self, key: &str, item: &Item) -> Result<bool> {
        let remedy = || format!("write `{key} = true` or `{key} = false`");
        item.as_bool().ok_or_else(|| self.fault(item.span(), format!("`{key}` is {}", kind(item)), remedy()))
    }

    /// A whole number; `or_zero` where 0 switches the rule off.
    pub(crate) fn whole<T>(
        &self,
        key: &str,
        item: &Item,
        range: RangeInclusive<T>,
        or_zero: bool,
        such: u16,
    ) -> Result<T>
    where
        T: TryFrom<i64> + PartialOrd + Default + std::fmt::Display,
    {
        let off = if or_zero { ", or 0 to switch this rule off" } else { "" };
        let remedy =
            || format!("write a whole number from {} to {}{off}, such as `{key} = {such}`", range.start(), range.end());
        let Some(number) = item.as_integer() else {
            return Err(self.fault(item.span(), format!("`{key}` is {}", kind(item)), remedy()));
        };
        let fits = |value: &T| range.contains(value) || or_zero && *value == T::default();
        let value = T::try_from(number).ok().filter(fits);
        value.ok_or_else(|| self.fault(item.span(), format!("`{key}` is {number}"), remedy()))
    }

    fn number(&self, key: &str, item: &Item, range: RangeInclusive<f64>, such: f64) -> Result<f64> {
        #[expect(clippy::cast_precision_loss, reason = "what is too large to be exact is out of range")]
        let number = item.as_float().or_else(|| item.as_integer().map(|whole| whole as f64));
        let remedy = || format!("write a number from {} to {}, such as `{key} = {such:?}`", range.start(), range.end());
        let Some(number) = number else {
            return Err(self.fault(item.span(), format!("`{key}` is {}", kind(item)), remedy()));
        };
        // Not a number lies in no range; minus zero does, and is written as zero.
        if range.contains(&number) {
            return Ok(number + 0.0);
        }
        Err(self.fault(item.span(), format!("`{key}` is {number}"), remedy()))
    }

    /// Texts, each with its place.
    pub(crate) fn texts<'a>(&self, key: &str, item: &'a Item, remedy: &str) -> Result<Vec<Placed<'a>>> {
        let Some(list) = item.as_array() else {
            return Err(self.fault(item.span(), format!("`{key}` is {}", kind(item)), remedy));
        };
        let text = |value: &'a Value| {
            let fault = || self.fault(value.span(), format!("`{key}` holds {}", value_kind(value)), remedy);
            Ok((value.span(), value.as_str().ok_or_else(fault)?))
        };
        list.iter().map(text).collect()
    }

    fn hours(&self, item: &Item) -> Result<Hours> {
        let remedy = "write a list such as `hours = [\"Mon-Fri 18:00-08:00\", \"Sat-Sun\"]`; an empty list is always, \
                      `[\"never\"]` never";
        let texts = self.texts("hours", item, remedy)?;
        let windows: Vec<&str> = texts.iter().map(|(_, text)| *text).collect();
        Hours::parse(&windows).map_err(|(place, error)| {
            let at = texts.get(place).and_then(|(span, _)| span.clone());
            self.fault(at.or_else(|| item.span()), format!("`hours` cannot be read: {error}"), remedy)
        })
    }

    fn apps(&self, item: &Item) -> Result<Vec<String>> {
        let remedy = format!(
            "write at most {APPS_MAX} names of programs of at most {APP_BYTES_MAX} bytes each, such as `apps = [\"blender\"]`"
        );
        let texts = self.texts("apps", item, &remedy)?;
        if texts.len() > APPS_MAX {
            return Err(self.fault(item.span(), format!("`apps` has {} names", texts.len()), remedy));
        }
        let name = |(at, name): Placed<'_>| {
            let problem = match name {
                name if name.trim().is_empty() => "`apps` holds an empty name".to_owned(),
                name if name.trim() != name => format!("`apps` holds \"{}\", with space around it", short(name)),
                name if name.len() > APP_BYTES_MAX => format!("`apps` holds a name of {} bytes", name.len()),
                name if name.contains(char::is_control) => "`apps` holds a control character".to_owned(),
                name => return Ok(name.to_owned()),
            };
            Err(self.fault(at, problem, remedy.clone()))
        };
        texts.into_iter().map(name).collect()
    }
}

/// A name as it fits into a sentence.
pub(crate) fn short(name: &str) -> String {
    name.chars().take(APP_BYTES_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

pub(crate) fn kind(item: &Item) -> &'static str {
    match item {
        Item::None => "nothing",
        Item::Value(value) => value_kind(value),
        Item::Table(_) => "a table",
        Item::ArrayOfTables(_) => "a list of tables",
    }
}

const fn value_kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number with a decimal point",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date or time",
        Value::Array(_) => "a list",
        Value::InlineTable(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Settings;

    fn error(text: &str) -> String {
        Settings::parse("settings.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn a_whole_file_is_read() {
        let text = "# mine\n[lend]\nenabled = true\nidle_minutes = 10\nhours = [\"Mon-Fri 18:00-08:00\"]\nmax_celsius = 0\n\
                    other_cores = 1\napps = [\"blender\"]\n";
        let lend = Settings::parse("settings.toml", text).unwrap().lend;
        assert_eq!((lend.enabled, lend.idle_minutes, lend.max_celsius), (Some(true), Some(10), Some(0)));
        assert_eq!((lend.other_cores, lend.apps), (Some(1.0), Some(vec!["blender".into()])));
        assert_eq!(lend.hours.unwrap().texts(), ["Mon-Fri 18:00-08:00"]);
        assert_eq!(Settings::parse("settings.toml", "").unwrap(), Settings::default());
        assert_eq!(Settings::parse("a", "[sandbox]\ntier = \"full\"").unwrap().sandbox.tier, Some(Tier::Full));
        assert_eq!(Settings::parse("a", "lend.enabled = false").unwrap().lend.enabled, Some(false));
        assert_eq!(Settings::parse("a", "lend = { enabled = false }").unwrap().lend.enabled, Some(false));
    }

    #[test]
    fn errors_say_where_what_and_what_would_be_right() {
        for (text, said) in [
            (
                "[lend]\nidle-minutes = 5",
                "settings.toml:2:1: `idle-minutes` is not a known key in `[lend]`; did you mean `idle_minutes`?",
            ),
            ("[lnd]\n", "settings.toml:1:2: `lnd` is not a known table or key; did you mean `lend`?"),
            ("enabled = true", "settings.toml:1:1: `enabled` is not a known table or key; known here: lend, sandbox"),
            (
                "[lend]\nzzz = 5",
                "settings.toml:2:1: `zzz` is not a known key in `[lend]`; known here: enabled, idle_minutes,",
            ),
            (
                "[lend]\n  idle_minutes = \"5\"",
                "settings.toml:2:18: `idle_minutes` is a text; write a whole number from 1 to 1440, such as `idle_minutes = 5`",
            ),
            ("[lend]\nidle_minutes = 0", "settings.toml:2:16: `idle_minutes` is 0; write"),
            ("[lend]\nidle_minutes = -1", "settings.toml:2:16: `idle_minutes` is -1; write"),
            (
                "[lend]\nmax_celsius = 39",
                "settings.toml:2:15: `max_celsius` is 39; write a whole number from 40 to 105, or 0",
            ),
            (
                "[lend]\nenabled = \"yes\"",
                "settings.toml:2:11: `enabled` is a text; write `enabled = true` or `enabled = false`",
            ),
            ("[lend]\nother_cores = nan", "settings.toml:2:15: `other_cores` is NaN; write a number from 0 to 1024"),
            ("[lend]\nwatts_per_thread = 0", "settings.toml:2:20: `watts_per_thread` is 0; write a number from 0.1"),
            (
                "[lend]\nhours = [\"Sat\", \"8-9\"]",
                "settings.toml:2:17: `hours` cannot be read: \"8\" is neither a day nor a time; write",
            ),
            ("[lend]\nhours = \"Sat\"", "settings.toml:2:9: `hours` is a text; write a list"),
            ("[lend]\nhours = [6]", "settings.toml:2:10: `hours` holds a whole number; write"),
            ("[lend]\napps = [\"ä\", \" \"]", "settings.toml:2:14: `apps` holds an empty name; write at most 64"),
            ("lend = 1", "settings.toml:1:8: `lend` is a whole number, not a table"),
            ("[[lend]]", "`lend` is a list of tables, not a table"),
            (
                "[sandbox]\ntier = 2",
                "settings.toml:2:8: `tier` is a whole number; write `tier = \"basic\"` or `tier = \"full\"`",
            ),
            ("[sandbox]\ntier = \"none\"", "settings.toml:2:8: `tier` is \"none\"; write `tier = \"basic\"` or"),
            ("[sandbox]\nteir = \"full\"", "`teir` is not a known key in `[sandbox]`; did you mean `tier`?"),
            ("sandbox = \"full\"", "`sandbox` is a text, not a table; write `[sandbox]` once"),
            ("[lend]\nenabled = tru", "settings.toml:2:11: this is not TOML ("),
            ("[lend]\nenabled = true\nenabled = true", "settings.toml:3:1: this is not TOML ("),
        ] {
            let found = error(text);
            assert!(found.contains(said), "{text}\n   said: {found}\n expect: {said}");
        }
    }

    #[test]
    fn everything_has_a_bound() {
        let names = |count: usize| format!("[lend]\napps = {:?}", vec!["a"; count]);
        assert!(Settings::parse("a", &names(APPS_MAX)).is_ok());
        assert!(error(&names(APPS_MAX + 1)).contains("`apps` has 65 names"));
        assert!(error(&format!("[lend]\napps = [\"{}\"]", "a".repeat(65))).contains("a name of 65 bytes"));
        assert!(error(&"#".repeat(TEXT_BYTES_MAX + 1)).contains("the most is 262144"));
        assert!(error(&format!("[lend]\napps = {}", "[".repeat(100_000))).contains("this is not TOML"));
        assert!(error(&format!("{} = 1", "a".repeat(5_000))).len() < 300);
    }

    proptest! {
        #[test]
        fn no_text_is_a_trap(text in any::<String>()) {
            let _ = Settings::parse("a", &text);
        }

        #[test]
        fn no_text_that_is_nearly_right_is_a_trap(
            lines in prop::collection::vec(("[a-z_]{0,12}|enabled|hours|apps|other_cores|idle_minutes", ".{0,20}|[0-9.e+-]{1,8}|\\[\".{0,16}\"\\]"), 0..6),
        ) {
            let body: String = lines.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
            if let Err(error) = Settings::parse("a", &format!("[lend]\n{body}")) {
                prop_assert!(error.line >= 1 && error.column >= 1);
            }
        }
    }
}
