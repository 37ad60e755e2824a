//! Every word of the app, in every language, in one catalogue.
//!
//! What the tray says is a function: a missing translation, a placeholder that only one language has, and a message that
//! nobody uses are errors of the compiler. What the window says leaves as data ([`catalogue`]) with placeholders in
//! braces, and the window's own tests look for what nobody says. Some words both say; they stand in `reasons`.

mod common;
mod reasons;
mod tray;
mod window_chat;
mod window_faults;
mod window_frame;
mod window_home;
mod window_models;
mod window_policy;
mod window_privacy;
mod window_rules;
mod window_settings;

use std::collections::BTreeMap;

pub(crate) use common::*;
pub(crate) use reasons::*;
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

        #[cfg_attr(not(test), allow(dead_code, reason = "what only the tray says does not leave as data"))]
        pub(super) const ENTRIES: &[$crate::words::Entry] = &[
            $($crate::words::Entry { key: stringify!($key), en: $en, de: $de }),*
        ];
    };
}
use messages;

/// Defines messages that leave as data only: each becomes an [`Entry`].
macro_rules! entries {
    ($($key:ident { en: $en:literal, de: $de:literal })*) => {
        pub(super) const ENTRIES: &[$crate::words::Entry] = &[
            $($crate::words::Entry { key: stringify!($key), en: $en, de: $de }),*
        ];
    };
}
use entries;

/// What the window says.
const WINDOW: [&[Entry]; 10] = [
    reasons::ENTRIES,
    window_chat::ENTRIES,
    window_faults::ENTRIES,
    window_frame::ENTRIES,
    window_home::ENTRIES,
    window_models::ENTRIES,
    window_policy::ENTRIES,
    window_privacy::ENTRIES,
    window_rules::ENTRIES,
    window_settings::ENTRIES,
];

/// Every message that the window says, by its key; placeholders are names in braces.
#[must_use]
pub fn catalogue(lang: Lang) -> BTreeMap<&'static str, &'static str> {
    WINDOW.into_iter().flatten().map(|entry| (entry.key, entry.text(lang))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every message of the tray and of the window.
    fn all() -> impl Iterator<Item = &'static Entry> {
        [common::ENTRIES, tray::ENTRIES].into_iter().chain(WINDOW).flatten()
    }

    /// The names in braces.
    fn placeholders(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()).collect()
    }

    #[test]
    fn a_key_is_there_once_and_both_languages_have_its_placeholders() {
        let mut keys = BTreeSet::new();
        for entry in all() {
            assert!(keys.insert(entry.key), "{} is there twice", entry.key);
            let [en, de] = Lang::ALL.map(|lang| entry.text(lang));
            assert_eq!(placeholders(en), placeholders(de), "{}", entry.key);
            assert_eq!(en.matches('`').count(), de.matches('`').count(), "{}", entry.key);
        }
        assert_eq!(catalogue(Lang::En).len(), WINDOW.into_iter().flatten().count());
    }

    #[test]
    fn a_text_is_one_that_any_reader_of_the_catalogue_understands() {
        for (entry, lang) in all().flat_map(|entry| Lang::ALL.map(|lang| (entry, lang))) {
            let (key, text) = (entry.key, entry.text(lang));
            assert!(!text.is_empty() && text.trim() == text, "{key}: {text:?}");
            assert_eq!(text.matches('{').count(), text.matches('}').count(), "{key}: {text}");
            // Nothing of Rust's own: no {:.1}, no {{.
            let plain = |name: &&str| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            assert!(placeholders(text).iter().all(plain), "{key}: {text}");
            assert!(!text.contains("  "), "{key}: {text}");
        }
    }

    /// Names, patterns and units that are the same in both languages, so that anything else untranslated is seen.
    #[rustfmt::skip]
    const SAME: [&str; 34] = [
        "april", "august", "september", "november", "line", "line_until", "tooltip", "named", "because", "chat_label",
        "chat_code", "nav_chat", "error_code", "gave_tokens", "relay_line", "sandbox_line", "connect_label",
        "policy_version", "rule_named", "labels_tier", "privacy_sandbox", "theme_system",
        "unit_celsius", "unit_percent", "unit_gibibytes",
        "unit_watts", "check_relay", "check_sandbox", "check_worker", "check_enrolled", "about_version", "about_name", "about_node",
        "about_org",
    ];

    #[test]
    fn what_is_not_translated_is_meant_to_be_the_same() {
        let same: Vec<&str> = all().filter(|entry| entry.en == entry.de).map(|entry| entry.key).collect();
        assert_eq!(same, SAME);
    }
}
