//! What the sensors of a running node say of themselves.

use lull_types::{Finding, Reading, Signal, Source};

use super::{attention, broken, good};

/// What a node's sensors are and know.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sensed {
    /// Each that runs.
    pub(crate) sources: Vec<Heard>,
    /// The signals that the rules want heeded, as a mask; 0: nobody is looked at.
    pub(crate) heed: u32,
}

/// One source.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) source: Source,
    /// Its last word; `None`: it has said nothing yet.
    pub(crate) reading: Option<Reading>,
    /// How long ago that was, in milliseconds.
    pub(crate) ago_ms: u64,
}

/// A source that has said nothing for so long is silent, in milliseconds: the calmest beat is shorter by far.
const SILENT_MS: u64 = 30_000;

/// One line for all that is well, and one for each source that is not.
pub(super) fn sensors(sensed: &Sensed) -> Vec<Finding> {
    let Sensed { sources, heed } = sensed;
    if *heed == 0 {
        return vec![good("sensors", "none are needed: this machine is dedicated to lending")];
    }
    let screens: Vec<&str> = sources.iter().filter_map(|heard| screen(heard.source)).collect();
    let troubled = sources.iter().filter_map(|heard| Some((heard, trouble(heard)?)));
    let troubles: Vec<Finding> = troubled.map(|(heard, trouble)| finding(heard.source, &trouble, *heed)).collect();
    let well = sources.len() - troubles.len();
    let first = match screens.as_slice() {
        [] => broken(
            "sensors",
            "nothing here tells whether keyboard and pointer are in use, so this machine never lends",
            "start Lull inside the desktop session; for a machine without one: `lull node run --dedicated`",
        ),
        _ => good("sensors", format!("{well} of {} are heard; input by {}", sources.len(), screens.join(" and "))),
    };
    std::iter::once(first).chain(troubles).collect()
}

fn trouble(heard: &Heard) -> Option<String> {
    match &heard.reading {
        None => Some("has said nothing yet".into()),
        Some(_) if heard.ago_ms > SILENT_MS => Some(format!("has been silent for {} s", heard.ago_ms / 1_000)),
        Some(Reading::Unknown { why }) => Some(format!("does not know: {why}")),
        Some(Reading::Absent | Reading::Clear { .. } | Reading::InUse { .. }) => None,
    }
}

fn finding(source: Source, trouble: &str, heed: u32) -> Finding {
    let found = format!("{} {trouble}", name(source));
    let signal = source.signal();
    if heed & signal.bit() == 0 {
        return attention("sensor", found, "nothing depends on it under these rules");
    }
    let remedy = match rule(signal) {
        Some(key) => format!("until it is known this machine does not lend; mend it, or see the rule {key}"),
        None => "until it is known this machine does not lend; log in again, and if it stays, tell IT".into(),
    };
    broken("sensor", found, remedy)
}

/// The rule that a signal belongs to, where it has one.
const fn rule(signal: Signal) -> Option<&'static str> {
    match signal {
        Signal::Remote => Some("lend.remote"),
        Signal::Film => Some("lend.films"),
        Signal::Call => Some("lend.calls"),
        Signal::FullScreen => Some("lend.full_screen"),
        Signal::Power => Some("lend.on_battery"),
        Signal::Heat => Some("lend.max_celsius"),
        Signal::Network => Some("lend.metered"),
        Signal::Load => Some("lend.other_cores"),
        Signal::App => Some("lend.apps"),
        Signal::Input | Signal::Session | Signal::Sleep | Signal::Memory | Signal::Gpu | Signal::Clock => None,
    }
}

/// The screen system behind a source that knows about input.
const fn screen(source: Source) -> Option<&'static str> {
    match source {
        Source::MutterIdle => Some("GNOME (Mutter)"),
        Source::WaylandIdle => Some("Wayland"),
        Source::X11Idle => Some("X11"),
        Source::WindowsIdle => Some("Windows"),
        Source::MacIdle => Some("macOS"),
        _ => None,
    }
}

const fn name(source: Source) -> &'static str {
    match source {
        Source::MutterIdle => "GNOME's idle monitor",
        Source::WaylandIdle => "Wayland's idle notifier",
        Source::X11Idle => "the X server's idle counter",
        Source::WindowsIdle => "Windows' input counter",
        Source::MacIdle => "macOS' input counter",
        Source::Sessions => "the list of sessions",
        Source::RemoteSessions => "the list of remote sessions",
        Source::Sleep => "the system's word on sleep",
        Source::SystemInhibitors => "the system's inhibitors",
        Source::SessionInhibitors => "the session's inhibitors",
        Source::Microphone => "the microphone",
        Source::Camera => "the camera",
        Source::FullScreen => "the active window",
        Source::Power => "the power supply",
        Source::Heat => "the temperature",
        Source::Network => "the network",
        Source::Load => "the processor's load",
        Source::Memory => "memory pressure",
        Source::Gpu => "the graphics processor",
        Source::Apps => "the list of programs",
        Source::Clock => "the clock",
        Source::WindowsAttention => "Windows' focus assistant",
    }
}

#[cfg(test)]
mod tests {
    use lull_types::Health;

    use super::*;

    fn heard(source: Source, reading: Option<Reading>, ago_ms: u64) -> Heard {
        Heard { source, reading, ago_ms }
    }

    fn healths(sources: Vec<Heard>, heed: u32) -> Vec<Health> {
        sensors(&Sensed { sources, heed }).iter().map(|finding| finding.health).collect()
    }

    #[test]
    fn a_source_that_does_not_know_is_as_bad_as_the_rules_make_it() {
        use Health::{Attention, Broken, Good};
        let clear = || Some(Reading::Clear { for_ms: 0 });
        let input = || heard(Source::X11Idle, clear(), 100);
        assert_eq!(healths(vec![input(), heard(Source::Power, Some(Reading::Absent), 0)], u32::MAX), [Good]);
        assert_eq!(healths(vec![input(), heard(Source::Power, None, 0)], u32::MAX), [Good, Broken]);
        assert_eq!(healths(vec![input(), heard(Source::Power, clear(), SILENT_MS + 1)], u32::MAX), [Good, Broken]);
        let unknown = || heard(Source::Network, Some(Reading::unknown("no NetworkManager")), 0);
        assert_eq!(healths(vec![input(), unknown()], u32::MAX), [Good, Broken]);
        assert_eq!(healths(vec![input(), unknown()], !Signal::Network.bit()), [Good, Attention]);
        assert_eq!(healths(vec![heard(Source::Power, clear(), 0)], u32::MAX), [Broken], "nobody knows about input");
        assert_eq!(healths(Vec::new(), 0), [Good]);
        let found = &sensors(&Sensed { sources: vec![input(), unknown()], heed: u32::MAX })[1];
        assert!(found.found.contains("no NetworkManager") && found.remedy.as_ref().unwrap().contains("lend.metered"));
    }
}
