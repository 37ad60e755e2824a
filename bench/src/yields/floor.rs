//! What the machine itself takes for two wake-ups in a row, under the same load: no sensor can be quicker, since the X
//! server must wake, and then whoever watches.

use std::{os::fd::OwnedFd, sync::Arc, time::Duration};

use anyhow::Result;
use rustix::event::{EventfdFlags, eventfd};

use super::{
    clock::{ms, now_ns},
    part::crowd,
    random::Random,
};
use crate::machine;

/// The longest wait between two of them.
const APART_NS: u64 = 10_000_000;

/// Waits for a sign of one and gives one to the other.
struct Relay {
    mine: Arc<OwnedFd>,
    next: Arc<OwnedFd>,
}

/// How long each of so many chains took, in milliseconds, beside so many busy processes per core: this thread wakes a
/// second one through an eventfd, and that a third, both ordinary threads, which sleep meanwhile.
pub(super) fn two_wake_ups(rounds: usize, load: usize) -> Result<Vec<f64>> {
    let busy = crowd(load * usize::from(machine::threads()))?;
    let event = || -> Result<_> { Ok(Arc::new(eventfd(0, EventfdFlags::empty())?)) };
    let (first, second, back) = (event()?, event()?, event()?);
    let middle = Relay { mine: Arc::clone(&first), next: Arc::clone(&second) };
    let relaying = std::thread::spawn(move || -> Result<()> {
        for _ in 0..rounds {
            wait(&middle.mine)?;
            sign(&middle.next)?;
        }
        Ok(())
    });
    let last = Relay { mine: Arc::clone(&second), next: Arc::clone(&back) };
    let (say, times) = std::sync::mpsc::channel();
    let stamping = std::thread::spawn(move || -> Result<()> {
        for _ in 0..rounds {
            wait(&last.mine)?;
            say.send(now_ns())?;
            sign(&last.next)?;
        }
        Ok(())
    });
    let mut random = Random(now_ns());
    let mut took = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        std::thread::sleep(Duration::from_nanos(random.below(APART_NS)));
        let began = now_ns();
        sign(&first)?;
        wait(&back)?;
        took.push(ms(times.recv()? - began));
    }
    drop(busy);
    for thread in [relaying, stamping] {
        thread.join().map_err(|_| anyhow::anyhow!("a thread of the floor's panicked"))??;
    }
    Ok(took)
}

fn sign(event: &OwnedFd) -> Result<()> {
    rustix::io::write(event, &1_u64.to_ne_bytes())?;
    Ok(())
}

fn wait(event: &OwnedFd) -> Result<()> {
    rustix::io::read(event, &mut [0; 8])?;
    Ok(())
}
