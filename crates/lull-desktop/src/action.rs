use lull_types::{Page, Pause, Request};
use serde::{Deserialize, Serialize};

use crate::Lang;

/// How long [`Action::PauseHour`] pauses, in seconds.
pub(crate) const HOUR_S: u64 = 3_600;

/// What a person can choose in the tray.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The machine is theirs at once, until they resume.
    GiveBack,
    /// A pause of an hour.
    PauseHour,
    /// A pause until the next morning.
    PauseTomorrow,
    /// A pause until they resume.
    PauseForever,
    /// A pause until they resume, after the job that runs now.
    Finish,
    /// Lend again.
    Resume,
    /// Agree to lend, after having read what that means.
    Start,
    /// Join an organisation.
    Join,
    /// See what is wrong.
    Trouble,
    /// See what ran here.
    Ran,
    /// See what the organisation decided for this machine.
    Rules,
    /// Open the window.
    Open,
    /// End the app.
    Quit,
}

/// What an [`Action`] leads to.
#[derive(Debug, Clone, PartialEq)]
pub enum Does {
    /// The node is asked.
    Call(Request),
    /// The window is shown: this page, or the one where it is.
    Open(Option<Page>),
    /// The app ends.
    Quit,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::GiveBack,
        Self::PauseHour,
        Self::PauseTomorrow,
        Self::PauseForever,
        Self::Finish,
        Self::Resume,
        Self::Start,
        Self::Join,
        Self::Trouble,
        Self::Ran,
        Self::Rules,
        Self::Open,
        Self::Quit,
    ];

    /// What it leads to.
    #[must_use]
    pub const fn does(self) -> Does {
        match self {
            Self::GiveBack | Self::PauseForever => Does::Call(Request::Pause { pause: Pause::Forever, finish: false }),
            Self::PauseHour => Does::Call(Request::Pause { pause: Pause::For { seconds: HOUR_S }, finish: false }),
            Self::PauseTomorrow => Does::Call(Request::Pause { pause: Pause::UntilTomorrow, finish: false }),
            Self::Finish => Does::Call(Request::Pause { pause: Pause::Forever, finish: true }),
            Self::Resume => Does::Call(Request::Resume),
            Self::Start | Self::Join => Does::Open(Some(Page::Welcome)),
            Self::Trouble => Does::Open(Some(Page::Home)),
            Self::Ran => Does::Open(Some(Page::Ran)),
            Self::Rules => Does::Open(Some(Page::Rules)),
            Self::Open => Does::Open(None),
            Self::Quit => Does::Quit,
        }
    }

    /// The letter that chooses it. It stays the same in every state, so that fingers can learn it.
    pub(crate) const fn mnemonic(self, lang: Lang) -> char {
        let (en, de) = match self {
            Self::GiveBack => ('b', 'z'),
            Self::PauseHour => ('h', 's'),
            Self::PauseTomorrow => ('t', 'm'),
            Self::PauseForever => ('r', 'f'),
            Self::Finish => ('f', 'd'),
            Self::Resume => ('l', 'w'),
            Self::Start => ('s', 'v'),
            Self::Join => ('j', 'b'),
            Self::Trouble => ('w', 't'),
            Self::Ran => ('a', 'h'),
            Self::Rules => ('o', 'r'),
            Self::Open => ('p', 'l'),
            Self::Quit => ('q', 'e'),
        };
        match lang {
            Lang::En => en,
            Lang::De => de,
        }
    }
}
