//! Exactly when each thread of a process runs, from the kernel's own records (`perf_event_open`, software events, which
//! an ordinary user may ask for about their own processes).

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
};

use anyhow::{Context as _, Result};
use perf_event::{Builder, Clock, SampleFlag, Sampler, events::Software};

use super::{
    record::{self, Record},
    slices::Tape,
};

/// Room for the records of one thread, in bytes: 32 each, so about 2,000 of them between two looks. All of them together
/// must stay under what the system lets an ordinary user lock (`perf_event_mlock_kb` for each processor, then
/// `RLIMIT_MEMLOCK`).
const RING_BYTES: usize = 64 << 10;

/// Listens to the threads of one process.
pub(super) struct Recorder {
    pid: u32,
    ring_bytes: usize,
    threads: BTreeMap<u32, Thread>,
}

struct Thread {
    ring: Sampler,
    on: Option<bool>,
}

/// What was recorded since the last look.
#[derive(Debug, Default)]
pub(super) struct Take {
    /// One for each thread.
    pub(super) tapes: Vec<Tape>,
    /// Records that are missing: nothing can be said then.
    pub(super) lost: u64,
}

impl Recorder {
    pub(super) fn new(pid: u32) -> Result<Self> {
        let mut recorder = Self { pid, ring_bytes: RING_BYTES, threads: BTreeMap::new() };
        recorder.find_threads()?;
        Ok(recorder)
    }

    /// Begins to listen to threads that are new and stops listening to those that are gone; whether there were any.
    pub(super) fn find_threads(&mut self) -> Result<bool> {
        let folder = format!("/proc/{}/task", self.pid);
        let there = fs::read_dir(&folder).with_context(|| format!("{folder} cannot be read: the process has ended"))?;
        let there: BTreeSet<u32> = there.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
        let before = self.threads.len();
        self.threads.retain(|thread, _| there.contains(thread));
        let mut changed = self.threads.len() != before;
        for thread in there {
            if self.threads.contains_key(&thread) {
                continue;
            }
            changed = true;
            match listen(thread, self.ring_bytes) {
                Ok(ring) => drop(self.threads.insert(thread, Thread { ring, on: None })),
                // It has ended again in between.
                Err(error) if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => {}
                Err(error) => {
                    return Err(error).context(
                        "the kernel does not tell when the worker's threads run (perf_event_open): it needs \
                         kernel.perf_event_paranoid <= 2, and a worker of the same user; if memory is what is missing, \
                         raise `ulimit -l`",
                    );
                }
            }
        }
        Ok(changed)
    }

    /// Everything since the last look.
    pub(super) fn take(&mut self) -> Result<Take> {
        let mut take = Take::default();
        for thread in self.threads.values_mut() {
            let (tape, lost) = thread.take()?;
            take.tapes.push(tape);
            take.lost += lost;
        }
        Ok(take)
    }
}

impl Thread {
    fn take(&mut self) -> Result<(Tape, u64)> {
        let mut tape = Tape { on_before: self.on, switches: Vec::new() };
        let mut lost = 0;
        while let Some(record) = self.ring.next_record() {
            let read = record::read(record.ty(), record.misc(), &record.to_contiguous());
            match read.context("the kernel's record of a thread's switch cannot be read")? {
                Record::Switch(switch) => tape.switches.push(switch),
                Record::Lost(records) => lost += records,
                Record::Other => {}
            }
        }
        // After a loss the last that is known is not the last that was.
        self.on = tape.switches.last().map_or(self.on, |last| Some(last.on));
        Ok((tape, lost))
    }
}

fn listen(thread: u32, ring_bytes: usize) -> io::Result<Sampler> {
    let mut counter = Builder::new(Software::DUMMY)
        .observe_pid(i32::try_from(thread).map_err(io::Error::other)?)
        .any_cpu()
        .exclude_kernel(true)
        .exclude_hv(true)
        .context_switch(true)
        .sample_id_all(true)
        .sample(SampleFlag::TID | SampleFlag::TIME | SampleFlag::CPU)
        .clockid(Clock::MONOTONIC)
        .build()?;
    counter.enable()?;
    counter.sampled(ring_bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::yields::clock::now_ns;

    /// A thread of this process that goes to sleep and wakes `rounds` times whenever it is told to.
    fn sleeper() -> (u32, mpsc::SyncSender<u32>, mpsc::Receiver<()>) {
        let (orders, todo) = mpsc::sync_channel::<u32>(0);
        let (done, answers) = mpsc::sync_channel(0);
        let (say, id) = mpsc::channel();
        std::thread::spawn(move || {
            say.send(rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned()).unwrap();
            for rounds in todo {
                (0..rounds).for_each(|_| std::thread::sleep(std::time::Duration::from_nanos(1)));
                done.send(()).unwrap();
            }
        });
        (id.recv().unwrap(), orders, answers)
    }

    fn recorder(thread: u32, ring_bytes: usize) -> Recorder {
        let threads = [(thread, Thread { ring: listen(thread, ring_bytes).unwrap(), on: None })].into();
        Recorder { pid: std::process::id(), ring_bytes, threads }
    }

    #[test]
    fn records_are_whole_in_order_and_now_however_often_the_ring_wraps() {
        let (thread, orders, answers) = sleeper();
        let mut recorder = recorder(thread, 4096);
        let began = now_ns();
        let mut all = Vec::new();
        // 128 records fit: each round leaves about 50, so that the ring wraps in the middle of several takes.
        for _ in 0..40 {
            orders.send(25).unwrap();
            answers.recv().unwrap();
            let take = recorder.take().unwrap();
            assert_eq!(take.lost, 0);
            all.extend(take.tapes.into_iter().flat_map(|tape| tape.switches));
        }
        assert!(all.len() >= 2 * 25 * 40, "{} switches", all.len());
        assert!(all.windows(2).all(|pair| pair[0].on != pair[1].on && pair[0].at_ns <= pair[1].at_ns));
        assert!(all[0].at_ns >= began && all[all.len() - 1].at_ns <= now_ns());
    }

    #[test]
    fn what_had_no_room_is_said() {
        let (thread, orders, answers) = sleeper();
        let mut recorder = recorder(thread, 4096);
        orders.send(500).unwrap();
        answers.recv().unwrap();
        let first = recorder.take().unwrap();
        // The kernel says so with the next record that has room.
        orders.send(5).unwrap();
        answers.recv().unwrap();
        let second = recorder.take().unwrap();
        assert!(first.lost + second.lost > 300, "{} + {}", first.lost, second.lost);
    }

    #[test]
    fn threads_that_come_and_go_are_found() {
        let mut recorder = Recorder::new(std::process::id()).unwrap();
        assert!(!recorder.threads.is_empty());
        let (thread, orders, _answers) = sleeper();
        assert!(recorder.find_threads().unwrap());
        assert!(recorder.threads.contains_key(&thread));
        drop(orders);
        let began = std::time::Instant::now();
        while recorder.threads.contains_key(&thread) {
            assert!(began.elapsed().as_secs() < 20, "a thread that is gone is still listened to");
            recorder.find_threads().unwrap();
        }
    }
}
