//! What the sensors of a machine say about its owner and itself.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What must be known before a machine may lend. Several [`Source`]s may speak to one signal; the worst of them counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// Keyboard, pointer, touch.
    Input,
    /// The screen being locked or unlocked, and other people's sessions at this machine.
    Session,
    /// Someone logged in from elsewhere.
    Remote,
    /// The machine is about to sleep, or has just woken.
    Sleep,
    /// A program asks that the screen stays on: a film, a talk.
    Film,
    /// A microphone or camera is in use.
    Call,
    /// A window fills the screen.
    FullScreen,
    /// Mains or battery.
    Power,
    /// Temperature.
    Heat,
    /// Whether the network is paid for by the byte.
    Network,
    /// What other programs compute.
    Load,
    /// Whether memory is short.
    Memory,
    /// What others do on the graphics processor.
    Gpu,
    /// A program that its owner or the organisation named.
    App,
    /// The clocks agree with each other.
    Clock,
}

impl Signal {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Input,
        Self::Session,
        Self::Remote,
        Self::Sleep,
        Self::Film,
        Self::Call,
        Self::FullScreen,
        Self::Power,
        Self::Heat,
        Self::Network,
        Self::Load,
        Self::Memory,
        Self::Gpu,
        Self::App,
        Self::Clock,
    ];

    /// Its bit in a mask of signals.
    #[must_use]
    pub const fn bit(self) -> u32 {
        1 << self as u32
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Input => "keyboard and pointer",
            Self::Session => "the lock screen",
            Self::Remote => "remote sessions",
            Self::Sleep => "sleep",
            Self::Film => "films and talks",
            Self::Call => "microphone and camera",
            Self::FullScreen => "full-screen windows",
            Self::Power => "power",
            Self::Heat => "temperature",
            Self::Network => "the network's cost",
            Self::Load => "other programs' work",
            Self::Memory => "free memory",
            Self::Gpu => "the graphics processor",
            Self::App => "named programs",
            Self::Clock => "the clock",
        })
    }
}

/// One way of knowing. Each is watched by itself: a source that falls silent counts as *in use*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// GNOME's `org.gnome.Mutter.IdleMonitor`.
    MutterIdle,
    /// Wayland's `ext-idle-notify-v1`.
    WaylandIdle,
    /// The X server's SYNC idle counter.
    X11Idle,
    /// Windows' `GetLastInputInfo`.
    WindowsIdle,
    /// macOS' `CGEventSource`.
    MacIdle,
    /// The system's list of sessions: lock, other people (logind, WTS, the window server).
    Sessions,
    /// The system's list of sessions: those from elsewhere.
    RemoteSessions,
    /// The system's word that it sleeps and wakes.
    Sleep,
    /// Whoever keeps the system from idling (logind's inhibitors, power requests, IOPM assertions).
    SystemInhibitors,
    /// Whoever keeps the desktop session from idling.
    SessionInhibitors,
    /// Sound being recorded.
    Microphone,
    /// A camera being read.
    Camera,
    /// The active window's state.
    FullScreen,
    /// Mains and battery.
    Power,
    /// Temperature sensors.
    Heat,
    /// Metered or not.
    Network,
    /// Processor time of everything but Lull's workers.
    Load,
    /// Memory pressure.
    Memory,
    /// Work of others on the graphics processor.
    Gpu,
    /// The list of running programs.
    Apps,
    /// Wall clock against the clock that never stops.
    Clock,
    /// Full screen, do-not-disturb and presenting, as Windows says it.
    WindowsAttention,
}

impl Source {
    /// What it speaks to.
    #[must_use]
    pub const fn signal(self) -> Signal {
        match self {
            Self::MutterIdle | Self::WaylandIdle | Self::X11Idle | Self::WindowsIdle | Self::MacIdle => Signal::Input,
            Self::Sessions => Signal::Session,
            Self::RemoteSessions => Signal::Remote,
            Self::Sleep => Signal::Sleep,
            Self::SystemInhibitors | Self::SessionInhibitors => Signal::Film,
            Self::Microphone | Self::Camera => Signal::Call,
            Self::FullScreen | Self::WindowsAttention => Signal::FullScreen,
            Self::Power => Signal::Power,
            Self::Heat => Signal::Heat,
            Self::Network => Signal::Network,
            Self::Load => Signal::Load,
            Self::Memory => Signal::Memory,
            Self::Gpu => Signal::Gpu,
            Self::Apps => Signal::App,
            Self::Clock => Signal::Clock,
        }
    }
}

/// What a source knows now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reading", rename_all = "snake_case")]
pub enum Reading {
    /// There is nothing of the kind here, and that is certain: no battery, no microphone, no such desktop.
    Absent,
    /// Nothing is in the way.
    Clear {
        /// For how long already, in milliseconds, as far as the source itself knows; 0 when it does not.
        for_ms: u64,
    },
    /// In use, or otherwise in the way.
    InUse {
        /// What, for a person, as the end of a sentence: "a call (Firefox)". May be empty.
        what: String,
    },
    /// Not known. Counts as in use.
    Unknown {
        /// Why, for a person: "UPower does not answer".
        why: String,
    },
}

impl Reading {
    /// In use, without more words.
    #[must_use]
    pub const fn in_use() -> Self {
        Self::InUse { what: String::new() }
    }

    /// Not known, and why.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self::Unknown { why: why.into() }
    }

    /// Whether it forbids lending where its signal matters.
    #[must_use]
    pub const fn forbids(&self) -> bool {
        matches!(self, Self::InUse { .. } | Self::Unknown { .. })
    }
}

/// One source's word. A source repeats its word at every beat: silence counts as *in use*.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// Who says so.
    pub source: Source,
    /// What.
    pub reading: Reading,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signal_has_a_bit_of_its_own() {
        let all = Signal::ALL.iter().fold(0, |mask, signal| mask | signal.bit());
        assert_eq!(all.count_ones() as usize, Signal::ALL.len());
    }
}
