//! Which reservations and jobs hold which slots, and which slot the next one gets. Pure: `now` is an argument.

use std::{collections::BTreeMap, time::Duration};

use lull_types::{Code, Epoch, Fault, JobId, ModelHash, NodeId};
use lull_wire::{
    PublicKey, Signed,
    control::Reserve,
    job::{GRANT_OPEN_S, Grant},
};
use tokio::time::Instant;

use crate::trust::{self, Accepted};

/// How long a reservation waits for its stream: what a grant may wait, and a little for the grant to be made.
const RESERVATION_MAX: Duration = Duration::from_secs(GRANT_OPEN_S + 5);

pub(crate) type Run = (JobId, Epoch);

/// What a slot's worker has loaded, or is loading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loaded {
    pub(crate) model: ModelHash,
    /// When a job last used it.
    pub(crate) used: Instant,
}

#[derive(Debug, Clone)]
struct Place {
    loaded: Option<Loaded>,
    held_by: Option<Run>,
}

#[derive(Debug, Clone)]
struct Booking {
    accepted: Accepted,
    slot: usize,
    until: Instant,
}

/// All slots of a lender.
#[derive(Debug)]
pub(crate) struct Bookings {
    places: Vec<Place>,
    waiting: BTreeMap<Run, Booking>,
}

/// A claimed reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claimed {
    pub(crate) grant: Grant,
    pub(crate) slot: usize,
    /// The longest answer that was reserved, in tokens.
    pub(crate) max_tokens: u32,
}

impl Bookings {
    pub(crate) fn new(slots: usize) -> Self {
        Self { places: vec![Place { loaded: None, held_by: None }; slots], waiting: BTreeMap::new() }
    }

    pub(crate) fn slots(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn free(&self) -> usize {
        self.places.iter().filter(|place| place.held_by.is_none()).count()
    }

    /// Holds a slot for a reservation: one that has the model, else an empty one, else the one unused for longest.
    ///
    /// # Errors
    /// [`Code::Busy`].
    pub(crate) fn book(&mut self, now: Instant, reserve: Reserve, nonce: [u8; 16]) -> Result<usize, Fault> {
        let run = (reserve.job, reserve.epoch);
        if self.places.iter().any(|place| place.held_by == Some(run)) {
            return Err(Fault::new(Code::Busy, "this job has a slot here already"));
        }
        let rank = |place: &Place| match place.loaded {
            Some(loaded) if loaded.model == reserve.model => (0, None),
            None => (1, None),
            Some(loaded) => (2, Some(loaded.used)),
        };
        let free = self.places.iter_mut().enumerate().filter(|(_, place)| place.held_by.is_none());
        let (slot, place) = free
            .min_by_key(|(_, place)| rank(place))
            .ok_or_else(|| Fault::new(Code::Busy, "all slots of this machine are taken; another will do"))?;
        place.held_by = Some(run);
        place.loaded = Some(Loaded { model: reserve.model, used: now });
        let booking = Booking { accepted: Accepted { reserve, nonce }, slot, until: now + RESERVATION_MAX };
        self.waiting.insert(run, booking);
        Ok(slot)
    }

    /// Turns a reservation into a running job, once, if the grant is right; a wrong one leaves the reservation alone.
    ///
    /// # Errors
    /// As [`trust::check_claim`].
    pub(crate) fn claim(
        &mut self,
        signed: &Signed<Grant>,
        grant_key: &PublicKey,
        me: NodeId,
        now_s: u64,
    ) -> Result<Claimed, Fault> {
        let run = signed.claims().ok().map(|grant| (grant.job, grant.epoch));
        let booking = run.and_then(|run| self.waiting.get(&run));
        let grant = trust::check_claim(signed, grant_key, me, booking.map(|booking| &booking.accepted), now_s)?;
        let booking = self
            .waiting
            .remove(&(grant.job, grant.epoch))
            .ok_or_else(|| Fault::new(Code::Internal, "a reservation was lost"))?;
        Ok(Claimed { grant, slot: booking.slot, max_tokens: booking.accepted.reserve.max_tokens })
    }

    /// Gives up a reservation that has not become a job.
    pub(crate) fn release(&mut self, run: Run) {
        if let Some(booking) = self.waiting.remove(&run) {
            self.places[booking.slot].held_by = None;
        }
    }

    /// Gives up every reservation that has not become a job: the relay that made them is gone.
    pub(crate) fn release_all(&mut self) {
        while let Some((_, booking)) = self.waiting.pop_first() {
            self.places[booking.slot].held_by = None;
        }
    }

    /// A job is over.
    pub(crate) fn end(&mut self, now: Instant, slot: usize) {
        self.places[slot].held_by = None;
        if let Some(loaded) = &mut self.places[slot].loaded {
            loaded.used = now;
        }
    }

    /// A slot's worker is gone.
    pub(crate) fn unloaded(&mut self, slot: usize, model: ModelHash) {
        self.places[slot].loaded.take_if(|loaded| loaded.model == model);
    }

    /// A slot has a model, or is given one without a job; what a reservation wants there counts more.
    pub(crate) fn warm(&mut self, now: Instant, slot: usize, model: ModelHash) {
        self.places[slot].loaded.get_or_insert(Loaded { model, used: now });
    }

    pub(crate) fn is_empty(&self, slot: usize) -> bool {
        self.places[slot].loaded.is_none()
    }

    pub(crate) fn is_held(&self, slot: usize) -> bool {
        self.places[slot].held_by.is_some()
    }

    /// When the next reservation is over, if there is one.
    pub(crate) fn next_end(&self) -> Option<Instant> {
        self.waiting.values().map(|booking| booking.until).min()
    }

    /// Gives up what was not used in time.
    pub(crate) fn expire(&mut self, now: Instant) {
        let over = |(run, booking): (&Run, &Booking)| (booking.until <= now).then_some(*run);
        let over: Vec<Run> = self.waiting.iter().filter_map(over).collect();
        over.into_iter().for_each(|run| self.release(run));
    }
}

#[cfg(test)]
#[path = "booking_tests.rs"]
mod tests;
