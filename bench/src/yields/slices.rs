//! When threads ran, and what that says about one trial. Pure: instants in, figures out.

/// A thread was put on a processor, or taken off it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Switch {
    /// In nanoseconds of `CLOCK_MONOTONIC`.
    pub(super) at_ns: u64,
    /// Put on.
    pub(super) on: bool,
}

/// What is known of one thread over some time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Tape {
    /// Whether it was on a processor when the tape begins; `None` while that is not known.
    pub(super) on_before: Option<bool>,
    /// In the order of time.
    pub(super) switches: Vec<Switch>,
}

/// Between the owner's input and the end of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// Just before the input was sent, in nanoseconds.
    pub(super) input_ns: u64,
    /// When the call that freezes had returned.
    pub(super) frozen_ns: u64,
    /// When the tape was taken.
    pub(super) end_ns: u64,
}

/// What the threads of a worker did after the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Verdict {
    /// From the input to the last instant at which any thread was on a processor for whatever reason; 0 if none was.
    pub(super) any_ns: u64,
    /// The same without [entries](Verdict::entries).
    pub(super) work_ns: u64,
    /// How often a thread came onto a processor only to be put away for good: see [`ENTRY_MAX_NS`].
    pub(super) entries: u32,
    /// Threads that were on a processor at the input.
    pub(super) on_at_input: u32,
    /// Threads that were on a processor at the end of the window.
    pub(super) on_at_end: u32,
    /// Processor time of all threads in the `BEFORE_NS` before the input, in nanoseconds.
    pub(super) before_ns: u64,
}

/// A slice that begins after the freeze had been ordered and is no longer than this, in nanoseconds, is a thread that
/// is woken, or gets its turn, only to be taken into the kernel's freezer. The order is pending on it by then, and the
/// kernel looks at that before it returns to the program: no instruction of the program runs.
pub(super) const ENTRY_MAX_NS: u64 = 200_000;
/// How far back a worker's work before the input is looked at, in nanoseconds.
pub(super) const BEFORE_NS: u64 = 50_000_000;

/// Judges one trial.
pub(super) fn judge<'a>(tapes: impl IntoIterator<Item = &'a Tape>, window: Window) -> Verdict {
    let mut verdict = Verdict::default();
    for tape in tapes {
        for (from, to) in slices(tape, window.end_ns) {
            let before = window.input_ns.saturating_sub(BEFORE_NS);
            verdict.before_ns += to.min(window.input_ns).saturating_sub(from.max(before));
            if to <= window.input_ns {
                continue;
            }
            let after = to.min(window.end_ns) - window.input_ns;
            verdict.any_ns = verdict.any_ns.max(after);
            verdict.on_at_input += u32::from(from <= window.input_ns);
            verdict.on_at_end += u32::from(to > window.end_ns);
            if from >= window.frozen_ns && to - from <= ENTRY_MAX_NS {
                verdict.entries += 1;
            } else {
                verdict.work_ns = verdict.work_ns.max(after);
            }
        }
    }
    verdict
}

/// When the thread was on a processor: from, to. What began before the tape begins at 0; what had not ended by the end
/// of the window ends after it.
fn slices(tape: &Tape, end_ns: u64) -> Vec<(u64, u64)> {
    let mut slices = Vec::new();
    let mut since = tape.on_before.unwrap_or(false).then_some(0);
    for (at, switch) in tape.switches.iter().enumerate() {
        match (switch.on, since) {
            (true, _) => since = Some(switch.at_ns),
            (false, Some(from)) => {
                slices.push((from, switch.at_ns));
                since = None;
            }
            // The first that is heard of a thread is that it is taken off: it had been on.
            (false, None) if at == 0 && tape.on_before.is_none() => slices.push((0, switch.at_ns)),
            (false, None) => {}
        }
    }
    slices.extend(since.map(|from| (from, end_ns + 1)));
    slices
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn tape(on_before: Option<bool>, switches: &[(u64, bool)]) -> Tape {
        let switches = switches.iter().map(|&(at_ns, on)| Switch { at_ns, on }).collect();
        Tape { on_before, switches }
    }

    fn window() -> Window {
        Window { input_ns: 100 * MS, frozen_ns: 101 * MS, end_ns: 300 * MS }
    }

    #[test]
    fn the_last_thread_counts_and_what_ended_before_does_not() {
        let early = tape(Some(false), &[(90 * MS, true), (99 * MS, false)]);
        let late = tape(Some(false), &[(95 * MS, true), (103 * MS, false)]);
        let verdict = judge([&late, &early], window());
        assert_eq!((verdict.any_ns, verdict.work_ns, verdict.entries), (3 * MS, 3 * MS, 0));
        assert_eq!((verdict.on_at_input, verdict.on_at_end), (1, 0));
        assert_eq!(verdict.before_ns, 9 * MS + 5 * MS);
    }

    #[test]
    fn nothing_on_a_processor_is_zero() {
        let verdict = judge([&tape(Some(false), &[]), &tape(None, &[])], window());
        assert_eq!(verdict, Verdict::default());
    }

    #[test]
    fn a_short_visit_after_the_freeze_is_an_entry_and_a_long_one_is_work() {
        let short = tape(Some(false), &[(250 * MS, true), (250 * MS + 9_000, false)]);
        let verdict = judge([&short], window());
        assert_eq!((verdict.any_ns, verdict.work_ns, verdict.entries), (150 * MS + 9_000, 0, 1));
        let long = tape(Some(false), &[(250 * MS, true), (250 * MS + ENTRY_MAX_NS + 1, false)]);
        let verdict = judge([&long], window());
        assert_eq!((verdict.work_ns, verdict.entries), (150 * MS + ENTRY_MAX_NS + 1, 0));
        // However short: before the freeze was ordered the program itself may have run.
        let before = tape(Some(false), &[(100 * MS + 1, true), (100 * MS + 9, false)]);
        assert_eq!(judge([&before], window()).work_ns, 9);
    }

    #[test]
    fn a_thread_that_never_stops_lasts_to_the_end() {
        for tape in [tape(Some(true), &[]), tape(Some(false), &[(120 * MS, true)])] {
            let verdict = judge([&tape], window());
            assert_eq!((verdict.any_ns, verdict.work_ns, verdict.on_at_end), (200 * MS, 200 * MS, 1));
        }
    }

    #[test]
    fn a_thread_first_heard_of_when_it_stops_had_been_running() {
        let verdict = judge([&tape(None, &[(105 * MS, false)])], window());
        assert_eq!((verdict.any_ns, verdict.on_at_input), (5 * MS, 1));
        // The same record twice, as after a loss, is not a slice from the beginning.
        let verdict = judge([&tape(Some(false), &[(105 * MS, false)])], window());
        assert_eq!(verdict.any_ns, 0);
    }
}
