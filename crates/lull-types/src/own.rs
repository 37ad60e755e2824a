//! What a person has with Lull on this machine: keys, use, files, preferences, and what they can see of them.

use serde::{Deserialize, Serialize};

use crate::Fault;

/// A key for the local API, as it may be shown: never the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(deny_unknown_fields)]
pub struct KeyView {
    /// Its name.
    pub name: String,
    /// When it was made, in seconds since 1970.
    pub created_s: u64,
}

/// What was asked from this machine on one day of one model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct UsedDay {
    /// The day in this machine's time zone, as `2026-11-23`.
    pub day: String,
    /// The model's name.
    pub model: String,
    /// Questions that were answered whole.
    pub answered: u64,
    /// Questions that were not: cancelled or failed.
    pub unanswered: u64,
    /// Tokens of the prompts.
    pub prompt_tokens: u64,
    /// Tokens of the answers.
    pub completion_tokens: u64,
}

/// A model that is being added to this machine, or could not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct AddingView {
    /// Where it comes from: a file or folder on this machine.
    pub path: String,
    /// The file that is being read.
    pub file: Option<String>,
    /// Bytes of that file that are done.
    pub done_bytes: u64,
    /// Its bytes in all.
    pub total_bytes: u64,
    /// Why it could not be added; it stays in the list until [`crate::Request::ForgetAdding`].
    pub fault: Option<Fault>,
}

/// Something that Lull keeps on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct StoredView {
    /// What.
    pub what: Stored,
    /// Where.
    pub path: String,
    /// Its size, in bytes.
    pub bytes: u64,
}

/// What Lull keeps on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Stored {
    /// Who this machine is: its keys and certificates.
    Identity,
    /// The person's settings, pause and preferences.
    Settings,
    /// Names and digests of the local API's keys.
    Keys,
    /// What ran here: counts and times, no content.
    Ran,
    /// What was asked from here: counts by day and model, no content.
    Used,
    /// Models.
    Models,
}

/// What a person prefers in the app. Nothing is decided by it but how the app looks and whether it starts by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default, deny_unknown_fields)]
pub struct Prefs {
    /// `en` or `de`; `None`: the system's.
    pub lang: Option<String>,
    /// `light` or `dark`; `None`: the system's.
    pub theme: Option<String>,
    /// Whether the app starts when its person logs in; `None`: not asked yet.
    pub autostart: Option<bool>,
    /// Whether the first page was answered, either way.
    pub welcomed: bool,
    /// What a kilowatt-hour costs, in thousandths of the person's currency.
    pub price_milli_per_kwh: Option<u32>,
}

/// A page of the window, or a place on one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Page {
    /// What Lull is, what it costs, who sees what; joining, agreeing, declining.
    Welcome,
    /// What this machine does and gave.
    Home,
    /// Asking.
    Chat,
    /// Models here and in the pool.
    Models,
    /// Who sees what; what is kept.
    Privacy,
    /// What ran here, within the page on privacy.
    Ran,
    /// What was asked from here.
    Usage,
    /// How other tools use the pool.
    Connect,
    /// The rules.
    Settings,
    /// The organisation's rules, within the settings.
    Rules,
    /// What keeps this machine from lending and asking well.
    Doctor,
    /// Versions and licences.
    About,
}

impl Page {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Welcome,
        Self::Home,
        Self::Chat,
        Self::Models,
        Self::Privacy,
        Self::Ran,
        Self::Usage,
        Self::Connect,
        Self::Settings,
        Self::Rules,
        Self::Doctor,
        Self::About,
    ];

    /// Where the window finds it: the end of its address.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Welcome => "#/welcome",
            Self::Home => "#/home",
            Self::Chat => "#/chat",
            Self::Models => "#/models",
            Self::Privacy => "#/privacy",
            Self::Ran => "#/privacy/ran",
            Self::Usage => "#/usage",
            Self::Connect => "#/connect",
            Self::Settings => "#/settings",
            Self::Rules => "#/settings/organisation",
            Self::Doctor => "#/doctor",
            Self::About => "#/about",
        }
    }
}
