//! What a person prefers in the app, kept in their home. Nothing of the node's work depends on it.

use std::{fs, path::PathBuf};

use lull_door::home;
use lull_types::{Code, Fault, Prefs};

use crate::Home;

/// The languages that the app has.
const LANGS: [&str; 2] = ["en", "de"];
/// The themes that the app has.
const THEMES: [&str; 2] = ["light", "dark"];
/// The highest price of a kilowatt-hour, in thousandths of a currency.
const PRICE_MAX: u32 = 1_000_000_000;

fn path(home: &Home) -> PathBuf {
    home.path().join("prefs.json")
}

/// A file that is missing, broken or out of bounds is as good as none: it is only about looks. What is broken is kept
/// beside it for whoever wants to look.
pub(crate) fn read(home: &Home) -> Prefs {
    let path = path(home);
    let Ok(Some(bytes)) = home::read(&path) else { return Prefs::default() };
    let prefs = serde_json::from_slice::<Prefs>(&bytes).ok().filter(|prefs| check(prefs).is_ok());
    prefs.unwrap_or_else(|| {
        let aside = path.with_extension("damaged");
        tracing::warn!(aside = %aside.display(), "the preferences are damaged: they begin anew");
        if let Err(error) = fs::rename(&path, &aside) {
            tracing::warn!(%error, "the damaged preferences cannot be moved away");
        }
        Prefs::default()
    })
}

/// # Errors
/// [`Code::BadRequest`] for what the app does not have, [`Code::Storage`].
pub(crate) fn write(home: &Home, prefs: &Prefs) -> Result<(), Fault> {
    check(prefs)?;
    let json = serde_json::to_vec_pretty(prefs)
        .map_err(|error| Fault::new(Code::Internal, format!("the preferences cannot be written: {error}")))?;
    home::write(&path(home), &json)
}

fn check(prefs: &Prefs) -> Result<(), Fault> {
    let bad = |text: String| Err(Fault::new(Code::BadRequest, text));
    let known = |value: &Option<String>, all: &[&str]| value.as_deref().is_none_or(|value| all.contains(&value));
    if !known(&prefs.lang, &LANGS) {
        return bad(format!("the app speaks {}", LANGS.join(" and ")));
    }
    if !known(&prefs.theme, &THEMES) {
        return bad(format!("the app's themes are {}", THEMES.join(" and ")));
    }
    if prefs.price_milli_per_kwh.is_some_and(|price| price > PRICE_MAX) {
        return bad(format!("a kilowatt-hour costs at most {PRICE_MAX} thousandths"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_stay_and_what_is_broken_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        assert_eq!(read(&home), Prefs::default());
        let prefs = Prefs { lang: Some("de".into()), welcomed: true, autostart: Some(false), ..Prefs::default() };
        write(&home, &prefs).unwrap();
        assert_eq!(read(&home), prefs);
        for broken in ["", "{", "{\"lang\":\"xx\"}", "{\"unknown\":1}", "{\"theme\":7}"] {
            std::fs::write(path(&home), broken).unwrap();
            assert_eq!(read(&home), Prefs::default(), "{broken}");
            assert_eq!(std::fs::read_to_string(path(&home).with_extension("damaged")).unwrap(), broken, "kept aside");
            assert!(!path(&home).exists());
        }
        for wrong in [
            Prefs { lang: Some("fr".into()), ..Prefs::default() },
            Prefs { theme: Some("x".repeat(100_000)), ..Prefs::default() },
            Prefs { price_milli_per_kwh: Some(u32::MAX), ..Prefs::default() },
        ] {
            assert_eq!(write(&home, &wrong).unwrap_err().code, Code::BadRequest);
        }
    }
}
