//! A thread that looks on while a template renders, and does something about it when that takes too long. What one
//! instruction of a template costs is not bounded by counting instructions.

use std::{
    io,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    time::Duration,
};

/// How often it looks. It counts its own looks instead of reading a clock: a frozen process must not find on waking
/// that its time is over.
const LOOK: Duration = Duration::from_millis(50);

/// The thread, as long as this lives.
#[derive(Debug)]
pub(super) struct Watch {
    bell: SyncSender<Ring>,
}

/// A stretch of work that is looked at; dropping it ends that.
#[derive(Debug)]
pub(super) struct Watched<'a>(&'a Watch);

#[derive(Debug, PartialEq, Eq)]
enum Ring {
    Begins,
    Ends,
}

impl Watch {
    /// Starts the thread. It calls `late` when a stretch takes longer than `most`.
    pub(super) fn new(most: Duration, late: impl Fn() + Send + 'static) -> io::Result<Self> {
        let (bell, rings) = sync_channel(2);
        std::thread::Builder::new().name("template watch".into()).spawn(move || look(&rings, most, late))?;
        Ok(Self { bell })
    }

    /// Begins a stretch.
    pub(super) fn begin(&self) -> Watched<'_> {
        // It only ends with this.
        let _ = self.bell.send(Ring::Begins);
        Watched(self)
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        let _ = self.0.bell.send(Ring::Ends);
    }
}

fn look(rings: &Receiver<Ring>, most: Duration, late: impl Fn()) {
    let looks_max = most.as_millis().div_ceil(LOOK.as_millis());
    while let Ok(ring) = rings.recv() {
        if ring == Ring::Ends {
            continue;
        }
        let goes_on = |_| matches!(rings.recv_timeout(LOOK), Err(RecvTimeoutError::Timeout));
        if (0..looks_max).all(goes_on) {
            late();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn only_what_takes_too_long_is_late() {
        let (sender, lates) = channel();
        let watch = Watch::new(LOOK * 3, move || sender.send(()).unwrap()).unwrap();
        for _ in 0..100 {
            drop(watch.begin());
        }
        let late = watch.begin();
        lates.recv_timeout(Duration::from_secs(60)).unwrap();
        drop(late);
        drop(watch.begin());
        drop(watch);
        assert!(lates.recv().is_err(), "once, and nothing after it");
    }
}
