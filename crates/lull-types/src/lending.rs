//! Whether this machine lends, and why: what the lending machine decides and every screen shows.

use serde::{Deserialize, Serialize};

use crate::Signal;

/// Why a machine does not lend now. The words are in [`std::fmt::Display`]; programs branch on the name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum Reason {
    /// Its owner has not agreed to lend.
    NotAgreed,
    /// The organisation does not want it to lend.
    Organisation,
    /// The rules cannot be read or trusted.
    RulesBroken {
        /// What is wrong, and where.
        why: String,
    },
    /// No worker can run here.
    NoWorker {
        /// What is missing.
        why: String,
    },
    /// Its owner said so.
    Paused,
    /// Its owner said: after this job.
    Finishing,
    /// A signal is in the way.
    InUse {
        /// Which.
        signal: Signal,
        /// What exactly; may be empty.
        what: String,
    },
    /// A signal is not known.
    Unknown {
        /// Which.
        signal: Signal,
        /// Why.
        why: String,
    },
    /// Its owner left not long enough ago.
    JustLeft,
    /// Outside its hours.
    OutsideHours,
    /// It lent a moment ago; it does not flap.
    Settling,
}

/// What happens next unless something else happens before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(type = "number"))]
#[serde(transparent)]
pub struct Until {
    /// In milliseconds since 1970.
    pub unix_ms: u64,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let named = |text: &str, what: &str| {
            if what.is_empty() { text.to_owned() } else { format!("{text} ({what})") }
        };
        match self {
            Self::NotAgreed => f.write_str("lending is off on this machine; `lull lend on` agrees to it"),
            Self::Organisation => f.write_str("the organisation does not want this machine to lend"),
            Self::RulesBroken { why } => write!(f, "the rules cannot be followed: {why}"),
            Self::NoWorker { why } => write!(f, "no worker can run here: {why}"),
            Self::Paused => f.write_str("paused by you"),
            Self::Finishing => f.write_str("pausing after the job that runs now"),
            Self::InUse { signal, what } => f.write_str(&named(in_use(*signal), what)),
            Self::Unknown { signal, why } => write!(f, "it is not known about {signal}: {why}"),
            Self::JustLeft => f.write_str("waiting to be sure that you are away"),
            Self::OutsideHours => f.write_str("outside the hours in which this machine lends"),
            Self::Settling => f.write_str("waiting a little before lending again"),
        }
    }
}

const fn in_use(signal: Signal) -> &'static str {
    match signal {
        Signal::Input => "you are using this machine",
        Signal::Session => "someone is logged in here",
        Signal::Remote => "someone uses this machine from elsewhere",
        Signal::Sleep => "the machine is going to sleep or has just woken",
        Signal::Film => "a program keeps the screen on, as films and talks do",
        Signal::Call => "a microphone or camera is in use",
        Signal::FullScreen => "a window fills the screen",
        Signal::Power => "the machine runs on battery",
        Signal::Heat => "the machine is too warm",
        Signal::Network => "the network is metered",
        Signal::Load => "other programs are computing",
        Signal::Memory => "memory is short",
        Signal::Gpu => "the graphics processor is in use",
        Signal::App => "a named program is running",
        Signal::Clock => "the clock has jumped",
    }
}

/// Whether this machine lends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "lending", rename_all = "snake_case")]
pub enum LendingView {
    /// It does not lend, and nothing but a person's word changes that.
    Off {
        /// Why.
        reason: Reason,
        /// The same in words.
        words: String,
    },
    /// It would lend if something were different.
    Waiting {
        /// What.
        reason: Reason,
        /// The same in words.
        words: String,
        /// When it may lend if nothing else happens, where that is known.
        until: Option<Until>,
    },
    /// It lends.
    Lending {
        /// Why, in words.
        words: String,
        /// Jobs that can still be taken now.
        free_slots: u16,
        /// Jobs that can be taken at once in all.
        slots: u16,
        /// Its owner said: after the job that runs now, no more.
        finishing: bool,
    },
    /// Its owner is back: the workers are frozen, and are ended soon unless it was nothing.
    Yielding {
        /// What happened.
        reason: Reason,
        /// The same in words.
        words: String,
        /// When it is decided.
        until: Option<Until>,
    },
    /// Its owner paused it.
    Paused {
        /// Until when; `None`: until they resume.
        until: Option<Until>,
        /// In words.
        words: String,
    },
}

impl LendingView {
    /// Why, in words.
    #[must_use]
    pub fn words(&self) -> &str {
        match self {
            Self::Off { words, .. }
            | Self::Waiting { words, .. }
            | Self::Lending { words, .. }
            | Self::Yielding { words, .. }
            | Self::Paused { words, .. } => words,
        }
    }
}

/// For how long a person pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "pause", rename_all = "snake_case")]
pub enum Pause {
    /// For so many seconds.
    For {
        /// At least 1, at most a year.
        seconds: u64,
    },
    /// Until 6 o'clock of the next calendar day, on this machine's clock.
    UntilTomorrow,
    /// Until they resume.
    Forever,
}

/// One job that ran here, as its owner may see it: no content, and nobody's name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct RanHere {
    /// Its place in the log.
    pub id: u64,
    /// When it ended, in milliseconds since 1970.
    pub ended_unix_ms: u64,
    /// The model's name.
    pub model: String,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens that were generated.
    pub completion_tokens: u32,
    /// From its start to its end, in milliseconds, time frozen not counted.
    pub ran_ms: u64,
    /// An estimate, in watt-hours; [`RanHere::ENERGY_FORMULA`] says how it is made.
    pub energy_wh: f32,
    /// How it ended: `completed`, `cancelled`, or a code.
    pub outcome: String,
}

impl RanHere {
    /// How [`RanHere::energy_wh`] is estimated.
    pub const ENERGY_FORMULA: &str = "seconds of the workers' processor time x watts per busy thread / 3600, watts \
                                      from the setting `lend.watts_per_thread` (estimated, not measured)";
}
