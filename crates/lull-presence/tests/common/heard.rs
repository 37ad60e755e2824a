//! A listener that remembers.

use std::{
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use lull_presence::Sink;
use lull_types::{Observation, Reading, Source};

use super::GUARD;

/// Everything that was said, and when.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Inner>);

#[derive(Default)]
struct Inner {
    said: Mutex<Said>,
    more: Condvar,
}

#[derive(Default)]
struct Said {
    all: Vec<(Instant, Observation)>,
    /// How far each source's words have been read by [`Heard::wait_for`].
    read: BTreeMap<Source, usize>,
}

impl Heard {
    /// Where sensors speak.
    pub(crate) fn sink(&self) -> Sink {
        let inner = self.0.clone();
        Arc::new(move |observation| {
            let now = Instant::now();
            inner.said.lock().unwrap().all.push((now, observation));
            inner.more.notify_all();
        })
    }

    /// The next word of a source that is so, among those not read yet; what came before it counts as read.
    pub(crate) fn wait_for(&self, source: Source, so: impl Fn(&Reading) -> bool) -> (Instant, Reading) {
        self.search(source, None, so)
    }

    /// The first word of a source, not before that instant, that is so.
    pub(crate) fn wait_after(&self, at: Instant, source: Source, so: impl Fn(&Reading) -> bool) -> (Instant, Reading) {
        self.search(source, Some(at), so)
    }

    /// What a source said from one instant until now.
    pub(crate) fn since(&self, at: Instant, source: Source) -> Vec<(Instant, Reading)> {
        let said = self.0.said.lock().unwrap();
        let of = |(when, word): &(Instant, Observation)| {
            (*when >= at && word.source == source).then(|| (*when, word.reading.clone()))
        };
        said.all.iter().filter_map(of).collect()
    }

    /// Sleeps, and says what a source said meanwhile.
    pub(crate) fn during(&self, time: Duration, source: Source) -> Vec<Reading> {
        let at = Instant::now();
        std::thread::sleep(time);
        self.since(at, source).into_iter().map(|(_, reading)| reading).collect()
    }

    fn search(&self, source: Source, at: Option<Instant>, so: impl Fn(&Reading) -> bool) -> (Instant, Reading) {
        let until = Instant::now() + GUARD;
        let mut said = self.0.said.lock().unwrap();
        let mut next = if at.is_some() { 0 } else { said.read.get(&source).copied().unwrap_or(0) };
        loop {
            while let Some((when, word)) = said.all.get(next) {
                next += 1;
                if word.source == source && at.is_none_or(|at| *when >= at) && so(&word.reading) {
                    let found = (*when, word.reading.clone());
                    said.read.insert(source, next);
                    return found;
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let last = format!("{:?}", Self::last(&said, source));
                // Sensors still speak: their words must find an unbroken lock.
                drop(said);
                panic!("{source:?} never said it; its last words: {last}");
            }
            said = self.0.more.wait_timeout(said, left).unwrap().0;
        }
    }

    fn last(said: &Said, source: Source) -> Vec<&Reading> {
        let mut last: Vec<_> = said.all.iter().rev().filter(|(_, word)| word.source == source).take(6).collect();
        last.reverse();
        last.into_iter().map(|(_, word)| &word.reading).collect()
    }
}
