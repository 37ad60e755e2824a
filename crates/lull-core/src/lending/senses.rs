use std::collections::{BTreeMap, BTreeSet};

use lull_types::{Observation, Reading, Reason, Signal, Source};

use crate::Millis;

/// How old a word may be while everything is watched closely, in milliseconds: two beats of 400 ms, and some delay.
pub const STALE_ALERT_MS: u64 = 1_000;
/// How old a word may be otherwise, in milliseconds: two beats of 5 s, and some delay.
pub const STALE_CALM_MS: u64 = 12_000;
/// How far a source may err about when a use ended, in milliseconds: what its word takes to get here, and more.
pub const CONTRADICTION_MS: u64 = 1_500;
/// The signals that tell of a person, or that nothing is known about the time before: their end restarts the idle
/// minutes.
pub const PERSON: u32 = Signal::Input.bit()
    | Signal::Session.bit()
    | Signal::Remote.bit()
    | Signal::Sleep.bit()
    | Signal::Film.bit()
    | Signal::Call.bit()
    | Signal::FullScreen.bit()
    | Signal::Clock.bit();

const NO_SCREEN: &str =
    "no screen session was found here; a machine that nobody sits at lends with `lull node run --dedicated`";

/// Input that was only a bump: from `from` to `until` it does not count, and the owner is away since `away_since`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Forgiven {
    pub(super) from: Millis,
    pub(super) until: Millis,
    pub(super) away_since: Millis,
}

impl Forgiven {
    fn covers(self, at: Millis) -> bool {
        self.from <= at && at <= self.until
    }
}

/// A moment at which somebody may have been there, and how long ago that was, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Presence {
    pub(super) at: Millis,
    pub(super) ago_ms: u64,
}

#[derive(Debug, Clone)]
struct Word {
    at: Millis,
    reading: Reading,
    /// It was not said again in time.
    silent: bool,
}

/// Why a word, or its lack, speaks against lending.
#[derive(Debug, Clone, Copy)]
enum Objection<'a> {
    InUse(&'a str),
    Unknown(&'a str),
}

impl Objection<'_> {
    fn reason(self, signal: Signal) -> Reason {
        match self {
            Self::InUse(what) => Reason::InUse { signal, what: what.to_owned() },
            Self::Unknown(why) => Reason::Unknown { signal, why: why.to_owned() },
        }
    }
}

impl Word {
    fn objection(&self) -> Option<Objection<'_>> {
        if self.silent {
            return Some(Objection::Unknown("its sensor has fallen silent"));
        }
        match &self.reading {
            Reading::InUse { what } => Some(Objection::InUse(what)),
            Reading::Unknown { why } => Some(Objection::Unknown(why)),
            Reading::Clear { .. } | Reading::Absent => None,
        }
    }
}

/// When a source last said *in use*, and when that ended.
#[derive(Debug, Clone, Copy)]
struct Use {
    last: Millis,
    ended: Option<Millis>,
}

/// Everything that was heard.
#[derive(Debug, Clone, Default)]
pub(super) struct Senses {
    announced: BTreeSet<Source>,
    /// The signals that they speak to.
    spoken_for: u32,
    words: BTreeMap<Source, Word>,
    /// Kept for sources that are gone, too: what they saw happened.
    uses: BTreeMap<Source, Use>,
}

impl Senses {
    /// These will be heard; earlier words are void.
    pub(super) fn announce(&mut self, sources: Vec<Source>) {
        self.announced = sources.into_iter().collect();
        self.spoken_for = self.announced.iter().fold(0, |mask, source| mask | source.signal().bit());
        self.words.clear();
    }

    /// Takes in a source's word.
    pub(super) fn hear(&mut self, now: Millis, observed: Observation) {
        let Observation { source, reading } = observed;
        let reading = self.remember(now, source, reading);
        self.words.insert(source, Word { at: now, reading, silent: false });
    }

    /// Keeps what the word tells of use, and turns a contradiction into an unknown.
    fn remember(&mut self, now: Millis, source: Source, reading: Reading) -> Reading {
        let clear_since = match reading {
            Reading::InUse { .. } => {
                self.uses.insert(source, Use { last: now, ended: None });
                return reading;
            }
            Reading::Unknown { .. } => return reading,
            Reading::Clear { for_ms } => Millis(now.0.saturating_sub(for_ms)),
            Reading::Absent => now,
        };
        if let Some(used) = self.uses.get_mut(&source) {
            if clear_since.plus(CONTRADICTION_MS) < used.last {
                return Reading::unknown("its sensor contradicts itself");
            }
            used.ended = used.ended.or(Some(clear_since.max(used.last)));
        }
        reading
    }

    /// Lets every word that is older than `limit_ms` fall silent. It stays so until the source speaks again, so that a
    /// source that hangs is not trusted anew whenever the limit is longer.
    pub(super) fn age(&mut self, now: Millis, limit_ms: u64) {
        let mut strangers = false;
        for (source, word) in &mut self.words {
            if !word.silent && now.since(word.at) > limit_ms {
                word.silent = true;
                strangers |= !self.announced.contains(source);
            }
        }
        if strangers {
            self.words.retain(|source, word| !word.silent || self.announced.contains(source));
        }
    }

    /// When the next heeded word falls silent unless it is said again.
    pub(super) fn silence_at(&self, heed: u32, limit: impl Fn(Millis) -> Millis) -> Option<Millis> {
        let heeded = self.words.iter().filter(|(source, word)| !word.silent && heed & source.signal().bit() != 0);
        heeded.map(|(_, word)| limit(word.at)).min()
    }

    /// What is most in the way among the heeded signals: persons before the machine, unknown before in use.
    pub(super) fn in_the_way(&self, heed: u32) -> Option<Reason> {
        let said = self.words.iter().filter_map(|(source, word)| Some((source.signal(), word.objection()?)));
        let unheard = self.announced.iter().filter(|source| !self.words.contains_key(source));
        let unheard = unheard.map(|source| (source.signal(), Objection::Unknown("its sensor has not spoken yet")));
        let heeded = |(signal, _): &(Signal, Objection<'_>)| heed & signal.bit() != 0;
        let objections = said.chain(unheard).chain(self.unseen(heed)).filter(heeded);
        let rank = |(signal, objection): &(Signal, Objection<'_>)| {
            (PERSON & signal.bit() == 0, matches!(objection, Objection::InUse(_)), *signal)
        };
        objections.min_by_key(rank).map(|(signal, objection)| objection.reason(signal))
    }

    /// Heeded signals that no source can see.
    fn unseen(&self, heed: u32) -> impl Iterator<Item = (Signal, Objection<'_>)> {
        let blind = heed & !self.spoken_for;
        let signals: &[Signal] = if blind == 0 { &[] } else { &Signal::ALL };
        let blind = signals.iter().filter(move |signal| blind & signal.bit() != 0);
        let no_screen = self.has_no_screen().then_some((Signal::Input, Objection::Unknown(NO_SCREEN)));
        blind.map(|signal| (*signal, Objection::Unknown("nothing here can tell"))).chain(no_screen)
    }

    /// Whether every source of input is certain that there is none.
    fn has_no_screen(&self) -> bool {
        let absent = |source: &Source| self.words.get(source).is_some_and(|word| word.reading == Reading::Absent);
        let mut input = self.announced.iter().filter(|source| source.signal() == Signal::Input).peekable();
        input.peek().is_some() && input.all(absent)
    }

    /// Whether a source says, for certain and not long ago, that a signal is in use.
    pub(super) fn is_in_use(&self, signal: Signal) -> bool {
        let mut words = self.words.iter().filter(|(source, _)| source.signal() == signal);
        words.any(|(_, word)| matches!(word.objection(), Some(Objection::InUse(_))))
    }

    /// All that is known of persons, as far as heeded signals tell.
    pub(super) fn presences(
        &self,
        now: Millis,
        heed: u32,
        forgiven: Option<Forgiven>,
    ) -> impl Iterator<Item = Presence> {
        let heeded = move |source: &Source| heed & PERSON & source.signal().bit() != 0;
        let ended = self.uses.iter().filter_map(move |(source, used)| {
            let at = used.ended?;
            Some((*source, Presence { at, ago_ms: now.since(at) }))
        });
        let idle = self.words.iter().filter_map(|(source, word)| match word.reading {
            Reading::Clear { for_ms } if source.signal() == Signal::Input => {
                Some((*source, Presence { at: Millis(word.at.0.saturating_sub(for_ms)), ago_ms: for_ms }))
            }
            _ => None,
        });
        let forgive = move |(source, presence): (Source, Presence)| match forgiven {
            Some(bump) if source.signal() == Signal::Input && bump.covers(presence.at) => {
                Presence { at: bump.away_since, ago_ms: now.since(bump.away_since) }
            }
            _ => presence,
        };
        ended.chain(idle).filter(move |(source, _)| heeded(source)).map(forgive)
    }

    /// The last moment at which there was input, as far as it is known.
    pub(super) fn last_input(&self) -> Option<Millis> {
        let used = self.uses.iter().filter(|(source, _)| source.signal() == Signal::Input).map(|(_, used)| used.last);
        let idle = self.words.iter().filter_map(|(source, word)| match word.reading {
            Reading::Clear { for_ms } if source.signal() == Signal::Input => {
                Some(Millis(word.at.0.saturating_sub(for_ms)))
            }
            _ => None,
        });
        used.chain(idle).max()
    }
}
