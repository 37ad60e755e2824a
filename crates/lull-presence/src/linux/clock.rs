//! The wall clock against the clock that never stops: whether the time was set, or the machine slept.

use std::{
    convert::Infallible,
    os::fd::OwnedFd,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lull_types::{Reading, Source};
use rustix::{
    io::Errno,
    time::{
        ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
        timerfd_settime,
    },
};
use tokio::io::unix::AsyncFd;

use super::{file::awaited, rest::Moment};
use crate::voice::Voice;

/// A smaller step of the wall clock is the work of a time service.
const JUMP: Duration = Duration::from_secs(2);
/// A shorter sleep is none.
const SLEEP: Duration = Duration::from_millis(500);
/// The alarm that never rings: the kernel cancels it when the clock is set. In seconds since 1970.
const NEVER: i64 = 1 << 40;

/// What three clocks show, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    /// Since 1970.
    wall: i128,
    /// Since the machine started.
    since_start: i128,
    /// The same without the time that it slept.
    awake: i128,
}

/// Where times come from.
trait Clocks {
    fn now(&self) -> Times;
}

struct Kernel;

impl Clocks for Kernel {
    fn now(&self) -> Times {
        let read = |id| {
            let time: Timespec = clock_gettime(id);
            i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
        };
        // From the standard library, where the lending machine's hours come from as well: where its time is another than
        // the kernel's (a test that sets the clock of one process), both have the same.
        let wall = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => nanoseconds(since),
            Err(before) => -nanoseconds(before.duration()),
        };
        Times { wall, since_start: read(ClockId::Boottime), awake: read(ClockId::Monotonic) }
    }
}

fn nanoseconds(time: Duration) -> i128 {
    i128::try_from(time.as_nanos()).unwrap_or(i128::MAX)
}

/// How the clocks stood to each other when last looked at.
struct Standing<C> {
    clocks: C,
    last: Times,
}

impl<C: Clocks> Standing<C> {
    fn new(clocks: C) -> Self {
        let last = clocks.now();
        Self { clocks, last }
    }

    /// What happened since the last look.
    fn look(&mut self) -> Option<&'static str> {
        let now = self.clocks.now();
        let was = std::mem::replace(&mut self.last, now);
        let change = |of: fn(&Times) -> i128| of(&now).saturating_sub(of(&was)).unsigned_abs();
        if change(|times| times.since_start.saturating_sub(times.awake)) > SLEEP.as_nanos() {
            return Some("the machine was asleep");
        }
        let jumped = change(|times| times.wall.saturating_sub(times.since_start)) > JUMP.as_nanos();
        jumped.then_some("the clock was set")
    }
}

/// Watches the clocks.
pub(crate) async fn watch(mut voice: Voice) -> Result<Infallible, String> {
    let mut standing = Standing::new(Kernel);
    let mut moment = Moment::default();
    // Without the alarm every beat still looks.
    let alarm = alarm().ok().and_then(|fd| awaited(fd).ok());
    loop {
        if let Some(what) = standing.look() {
            moment.begin(what);
        }
        let what = moment.now().map(|what| Reading::InUse { what: what.to_owned() });
        voice.say(Source::Clock, what.unwrap_or(Reading::Clear { for_ms: 0 }));
        tokio::select! {
            () = cancelled(alarm.as_ref()) => {}
            () = voice.beat() => {}
        }
    }
}

fn alarm() -> Result<OwnedFd, Errno> {
    let alarm = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
    let never = Itimerspec {
        it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
        it_value: Timespec { tv_sec: NEVER, tv_nsec: 0 },
    };
    timerfd_settime(&alarm, TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET, &never)?;
    Ok(alarm)
}

/// Until the kernel says that the clock was set. It says so once for each time, to whoever reads.
async fn cancelled(alarm: Option<&AsyncFd<OwnedFd>>) {
    let Some(alarm) = alarm else { return std::future::pending().await };
    loop {
        let Ok(mut ready) = alarm.readable().await else { return std::future::pending().await };
        let read = rustix::io::read(alarm, &mut [0; 8]);
        match read {
            Err(Errno::CANCELED) => {
                ready.clear_ready();
                return;
            }
            _ => ready.clear_ready(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, rc::Rc};

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone)]
    struct Set(Rc<Cell<Times>>);

    impl Clocks for Set {
        fn now(&self) -> Times {
            self.0.get()
        }
    }

    const SECOND: i128 = 1_000_000_000;

    fn after(wall: i128, since_start: i128, awake: i128) -> Option<&'static str> {
        let start = Times { wall: 1_700_000_000 * SECOND, since_start: 90 * SECOND, awake: 80 * SECOND };
        let clocks = Set(Rc::new(Cell::new(start)));
        let mut standing = Standing::new(clocks.clone());
        assert_eq!(standing.look(), None);
        clocks.0.set(Times {
            wall: start.wall + wall,
            since_start: start.since_start + since_start,
            awake: start.awake + awake,
        });
        let happened = standing.look();
        assert_eq!(standing.look(), None, "it is said once");
        happened
    }

    #[test]
    fn a_set_clock_and_a_sleep_are_told_from_time_that_passes() {
        let hour = 3600 * SECOND;
        assert_eq!(after(SECOND, SECOND, SECOND), None);
        assert_eq!(after(hour, hour, hour), None, "a task that was held up");
        assert_eq!(after(SECOND + SECOND * 19 / 10, SECOND, SECOND), None, "a time service's step");
        assert_eq!(after(SECOND + SECOND * 21 / 10, SECOND, SECOND), Some("the clock was set"));
        assert_eq!(after(-hour, SECOND, SECOND), Some("the clock was set"));
        assert_eq!(after(hour, hour, SECOND), Some("the machine was asleep"));
        assert_eq!(after(0, hour, SECOND), Some("the machine was asleep"));
    }

    proptest! {
        #[test]
        fn no_times_break_it(wall: i128, since_start: i128, awake: i128) {
            let clocks = Set(Rc::new(Cell::new(Times { wall: 0, since_start: 0, awake: 0 })));
            let mut standing = Standing::new(clocks.clone());
            clocks.0.set(Times { wall, since_start, awake });
            let _ = standing.look();
        }
    }
}
