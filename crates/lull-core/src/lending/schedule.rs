use super::Now;

const MINUTE_MS: i64 = 60_000;
const DAY_MINUTES: u16 = 24 * 60;
const DAY_MS: i64 = DAY_MINUTES as i64 * MINUTE_MS;
const WEEK_MS: i64 = 7 * DAY_MS;
/// 1970 began on a Thursday; weeks here begin on Mondays.
const FIRST_WEEKDAY: i64 = 3;

/// When a machine may lend, in its local time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// `None`: always.
    windows: Option<Vec<Window>>,
}

/// A span of the day, on some days of every week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    days: u8,
    from: u16,
    to: u16,
}

impl Window {
    /// Monday to Friday.
    pub const WEEKDAYS: u8 = 0b001_1111;
    /// Every day.
    pub const DAILY: u8 = 0b111_1111;

    /// From one minute of the day up to another, on the days it begins on (a mask; Monday is bit 0). Where `to` is not
    /// after `from` it ends on the next day; from a minute to the same minute is a whole day. `None` where there is no
    /// such day or minute: minutes go from 0 to 1,439, and `to` may be 1,440.
    #[must_use]
    pub fn new(days: u8, from: u16, to: u16) -> Option<Self> {
        let days_exist = days != 0 && days <= Self::DAILY;
        (days_exist && from < DAY_MINUTES && to <= DAY_MINUTES).then_some(Self { days, from, to })
    }

    fn length_ms(self) -> i64 {
        let next_day = if self.to > self.from { 0 } else { DAY_MS };
        i64::from(self.to) * MINUTE_MS + next_day - i64::from(self.from) * MINUTE_MS
    }

    /// Where it begins, in milliseconds of the week, and how long it is.
    fn spans(self) -> impl Iterator<Item = (i64, i64)> {
        (0..7)
            .filter(move |day| self.days & 1 << day != 0)
            .map(move |day| (day * DAY_MS + i64::from(self.from) * MINUTE_MS, self.length_ms()))
    }
}

impl Schedule {
    /// At any time.
    #[must_use]
    pub const fn always() -> Self {
        Self { windows: None }
    }

    /// Within any of these windows; with none of them, never.
    #[must_use]
    pub const fn weekly(windows: Vec<Window>) -> Self {
        Self { windows: Some(windows) }
    }

    /// Whether this moment is within.
    #[must_use]
    pub fn is_open(&self, now: Now) -> bool {
        self.open_at(week_ms(now))
    }

    /// How long until it opens or closes next, in milliseconds; `None` if it never does.
    #[must_use]
    pub fn changes_in(&self, now: Now) -> Option<u64> {
        let at = week_ms(now);
        let open = self.open_at(at);
        self.spans()
            .flat_map(|(begin, length)| [begin, begin + length])
            .map(|edge| (edge - at).rem_euclid(WEEK_MS))
            .filter(|wait| *wait > 0 && self.open_at(at + wait) != open)
            .min()
            .map(i64::unsigned_abs)
    }

    fn open_at(&self, at: i64) -> bool {
        self.windows.is_none() || self.spans().any(|(begin, length)| (at - begin).rem_euclid(WEEK_MS) < length)
    }

    fn spans(&self) -> impl Iterator<Item = (i64, i64)> {
        self.windows.iter().flatten().flat_map(|window| window.spans())
    }
}

/// Milliseconds since Monday began, in local time.
fn week_ms(now: Now) -> i64 {
    let local = i64::try_from(now.unix_ms).unwrap_or(i64::MAX / 2) + i64::from(now.utc_offset_s) * 1_000;
    (local + FIRST_WEEKDAY * DAY_MS).rem_euclid(WEEK_MS)
}
