//! Every word of the app, in every language, in one catalogue.
//!
//! A message is a function: a missing translation, a placeholder that only one language has, and a message that nobody
//! uses are errors of the compiler. The same texts leave as data for the window ([`catalogue`]), with placeholders in
//! braces.

mod common;
mod pages;
mod reasons;
mod settings;
mod tray;

use std::collections::BTreeMap;

pub(crate) use common::*;
pub(crate) use pages::*;
pub(crate) use reasons::*;
pub(crate) use settings::*;
pub(crate) use tray::*;

use crate::Lang;

/// One message in all languages.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: &'static str,
    en: &'static str,
    de: &'static str,
}

impl Entry {
    pub(crate) const fn text(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.en,
            Lang::De => self.de,
        }
    }
}

/// Defines messages: each becomes a function of its name, with its placeholders as arguments, and an [`Entry`].
macro_rules! messages {
    (@one $key:ident [] $en:literal $de:literal) => {
        pub(crate) const fn $key(lang: $crate::Lang) -> &'static str {
            match lang {
                $crate::Lang::En => $en,
                $crate::Lang::De => $de,
            }
        }
    };
    (@one $key:ident [$($argument:ident)+] $en:literal $de:literal) => {
        pub(crate) fn $key(lang: $crate::Lang, $($argument: impl std::fmt::Display),+) -> String {
            match lang {
                $crate::Lang::En => format!($en, $($argument = $argument),+),
                $crate::Lang::De => format!($de, $($argument = $argument),+),
            }
        }
    };
    ($($key:ident $(($($argument:ident),+))? { en: $en:literal, de: $de:literal })*) => {
        $(messages!(@one $key [$($($argument)+)?] $en $de);)*

        pub(super) const ENTRIES: &[$crate::words::Entry] = &[
            $($crate::words::Entry { key: stringify!($key), en: $en, de: $de }),*
        ];
    };
}
use messages;

fn entries() -> impl Iterator<Item = &'static Entry> {
    [common::ENTRIES, tray::ENTRIES, reasons::ENTRIES, pages::ENTRIES, settings::ENTRIES].into_iter().flatten()
}

/// Every message of a language by its key; placeholders are names in braces.
#[must_use]
pub fn catalogue(lang: Lang) -> BTreeMap<&'static str, &'static str> {
    entries().map(|entry| (entry.key, entry.text(lang))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The names in braces.
    fn placeholders(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()).collect()
    }

    #[test]
    fn every_language_has_every_message_and_nothing_else() {
        let [en, de] = Lang::ALL.map(catalogue);
        assert_eq!(entries().count(), en.len(), "a key is there twice");
        assert_eq!(en.keys().collect::<Vec<_>>(), de.keys().collect::<Vec<_>>());
        for (key, text) in &en {
            assert_eq!(placeholders(text), placeholders(de[key]), "{key}");
        }
    }

    #[test]
    fn a_text_is_one_that_any_reader_of_the_catalogue_understands() {
        for lang in Lang::ALL {
            for (key, text) in catalogue(lang) {
                assert!(!text.is_empty() && text.trim() == text, "{key}: {text:?}");
                assert_eq!(text.matches('{').count(), text.matches('}').count(), "{key}: {text}");
                // Nothing of Rust's own: no {:.1}, no {{.
                let plain = |name: &&str| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
                assert!(placeholders(text).iter().all(plain), "{key}: {text}");
                assert!(!text.contains("  "), "{key}: {text}");
            }
        }
    }

    /// Names, patterns and units that are the same in both languages, so that anything else untranslated is seen.
    #[rustfmt::skip]
    const SAME: [&str; 23] = [
        "april", "august", "september", "november", "seconds", "kilobytes", "megabytes", "gigabytes", "named",
        "because", "line", "line_until", "tooltip", "snippet_curl", "snippet_python", "snippet_javascript",
        "about_version", "about_org", "about_relay", "unit_degrees", "unit_percent", "unit_gib", "unit_watts",
    ];

    #[test]
    fn what_is_not_translated_is_meant_to_be_the_same() {
        let same: Vec<&str> = entries().filter(|entry| entry.en == entry.de).map(|entry| entry.key).collect();
        assert_eq!(same, SAME);
    }
}
