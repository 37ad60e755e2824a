//! How a worker is held from outside while it runs: who may freeze it and end it, and how its clock stops meanwhile.

use std::{fmt, future::pending, sync::Arc, time::Duration};

use lull_types::Fault;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// Holds worker processes: from the moment of its adoption a worker can be frozen and ended.
pub trait Keeper: Send + Sync {
    /// Takes a process that has just been started, before it is given anything to do. May block for milliseconds.
    ///
    /// # Errors
    /// When it cannot be held; it is killed then, and whoever wanted a worker gets this fault.
    fn adopt(&self, pid: u32) -> Result<Box<dyn Adopted>, Fault>;
}

/// A process that is held. Dropping it lets the process go, which must not outlive that for long.
pub trait Adopted: Send + Sync {
    /// Kills the process, frozen or not, and returns when its memory is back. Blocks.
    fn end(&self);
}

/// What a worker is held by.
#[derive(Clone)]
pub struct Leash {
    /// Who holds it.
    pub keeper: Arc<dyn Keeper>,
    /// Whether all that the keeper holds is frozen now. No limit runs while it is; after a thaw the clock begins anew
    /// for what is being waited for. A change is to be told within milliseconds, but the freezing itself need not wait
    /// for it.
    pub frozen: watch::Receiver<bool>,
}

impl fmt::Debug for Leash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leash").field("frozen", &*self.frozen.borrow()).finish_non_exhaustive()
    }
}

impl PartialEq for Leash {
    /// The same keeper, not one like it.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.keeper, &other.keeper) && self.frozen.same_channel(&other.frozen)
    }
}

impl Eq for Leash {}

/// The adoption of one process. If nobody has ended the process by the time this goes, that is done in the background.
pub(crate) struct Hold(Option<Box<dyn Adopted>>);

impl Hold {
    pub(crate) const fn new(adopted: Option<Box<dyn Adopted>>) -> Self {
        Self(adopted)
    }

    /// Ends the process if it is held, and lets it go; whether it was.
    pub(crate) async fn end(&mut self) -> bool {
        let Some(adopted) = self.0.take() else { return false };
        // Fails only when the runtime is going down, and then the process goes with the node.
        tokio::task::spawn_blocking(move || adopted.end()).await.is_ok()
    }

    pub(crate) const fn is_held(&self) -> bool {
        self.0.is_some()
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hold").field(&self.is_held()).finish()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(adopted) = self.0.take() {
            std::thread::spawn(move || adopted.end());
        }
    }
}

/// Measures how long a worker has had for one thing: time that it stood still does not count.
#[derive(Debug)]
pub(crate) struct Clock {
    frozen: Option<watch::Receiver<bool>>,
    /// Since when it has been running; `None` while it stands still.
    since: Option<Instant>,
    /// Time that counts from before `since`.
    ran: Duration,
    disturbed: bool,
}

impl Clock {
    pub(crate) fn start(frozen: Option<&watch::Receiver<bool>>) -> Self {
        let mut clock = Self { frozen: frozen.cloned(), since: None, ran: Duration::ZERO, disturbed: false };
        clock.restart();
        clock
    }

    /// From now on for the next thing.
    pub(crate) fn restart(&mut self) {
        let still = self.frozen.as_mut().is_some_and(|frozen| *frozen.borrow_and_update());
        self.ran = Duration::ZERO;
        self.since = (!still).then(Instant::now);
        self.disturbed = still;
    }

    /// Resolves when the worker has had this long without a freeze in between. Can be dropped and asked again.
    pub(crate) async fn passed(&mut self, bound: Duration) {
        loop {
            let over = self.look(false).map(|since| since + bound);
            tokio::select! {
                biased;
                () = changed(&mut self.frozen) => drop(self.look(true)),
                () = at(over) => return,
            }
        }
    }

    /// Waits for what it says of itself; `None` when the time is over before that.
    pub(crate) async fn within<T>(&mut self, bound: Duration, what: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = what => Some(done),
            () = self.passed(bound) => None,
        }
    }

    /// How long it has taken so far, frozen time not counted, and whether there was any: such a length says little
    /// about the worker's speed.
    pub(crate) fn took(&mut self) -> (Duration, bool) {
        let running = self.look(false).map_or(Duration::ZERO, |since| since.elapsed());
        (self.ran + running, self.disturbed)
    }

    /// Takes notice of what has happened since the last look; `news`: something certainly has.
    fn look(&mut self, news: bool) -> Option<Instant> {
        let (mut news, mut still) = (news, false);
        if let Some(frozen) = &mut self.frozen {
            news |= frozen.has_changed().unwrap_or(false);
            still = *frozen.borrow_and_update();
        }
        match self.since {
            Some(since) if still => {
                self.ran += since.elapsed();
                (self.since, self.disturbed) = (None, true);
            }
            // Frozen and thawed again before anybody looked.
            Some(_) if news => (self.since, self.disturbed) = (Some(Instant::now()), true),
            None if !still => self.since = Some(Instant::now()),
            _ => {}
        }
        self.since
    }
}

/// Resolves at every change. Where nobody can freeze any more, never again.
async fn changed(frozen: &mut Option<watch::Receiver<bool>>) {
    match frozen {
        None => pending().await,
        Some(watched) => {
            if watched.changed().await.is_err() {
                *frozen = None;
            }
        }
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

#[cfg(test)]
#[path = "leash_tests.rs"]
mod tests;
