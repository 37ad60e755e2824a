use std::{fmt, str::FromStr};

/// The minutes of a day.
pub const DAY_MINUTES: u16 = 24 * 60;
/// The most windows of one list: as many as can lie apart from each other in a week of minutes.
pub const WINDOWS_MAX: usize = DAYS.len() * DAY_MINUTES as usize / 2;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const FULL_DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const EVERY_DAY: u8 = 0b111_1111;
const WEEK_MINUTES: usize = DAYS.len() * DAY_MINUTES as usize;

/// A window of time that comes back every week, on the machine's own clock.
///
/// From `from_minute` (included) to `to_minute` (not included). Where `from_minute` is the later one, the window ends on
/// the day after each of its days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The days on which it begins: Monday is bit 0, Sunday bit 6. None: it never begins.
    pub days: u8,
    /// Minutes since midnight, 0 to 1,439.
    pub from_minute: u16,
    /// Minutes since midnight, 1 to 1,440; never equal to `from_minute`.
    pub to_minute: u16,
}

/// When a machine may lend: the union of weekly windows.
///
/// There is always at least one window, so that an empty list can never be mistaken for the other extreme: *always* is
/// one window that fills the week, *never* is one window without days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    windows: Vec<Window>,
}

/// Why a text is no window of time; the sentence says what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HoursError {
    /// Neither a day nor a time.
    #[error("\"{0}\" is neither a day nor a time")]
    Word(String),
    /// A clock that does not show such a time.
    #[error("\"{0}\" is no time of day between 00:00 and 24:00")]
    Time(String),
    /// A window without length.
    #[error("the window begins and ends at {0}")]
    Empty(String),
    /// Nothing at all, or too much.
    #[error("it needs days, times, or days and times")]
    Shape,
    /// *Always* or *never* beside other windows.
    #[error("\"{0}\" cannot stand beside other windows")]
    Alone(String),
    /// More windows than [`WINDOWS_MAX`].
    #[error("it has {0} windows, the most is {WINDOWS_MAX}")]
    Many(usize),
}

impl Window {
    const WEEK: Self = Self { days: EVERY_DAY, from_minute: 0, to_minute: DAY_MINUTES };
    const NONE: Self = Self { days: 0, from_minute: 0, to_minute: DAY_MINUTES };

    /// Whether it holds a minute of a day; `day` 0 is Monday.
    #[must_use]
    pub const fn contains(&self, day: u8, minute: u16) -> bool {
        let today = self.days >> (day % 7) & 1 == 1;
        let yesterday = self.days >> ((day + 6) % 7) & 1 == 1;
        if self.from_minute < self.to_minute {
            return today && minute >= self.from_minute && minute < self.to_minute;
        }
        today && minute >= self.from_minute || yesterday && minute < self.to_minute
    }
}

impl FromStr for Window {
    type Err = HoursError;

    /// Reads days ("Mon", "Mon-Fri", "Mon,Wed"), times ("22:00-06:00"), or both, in any case; also "always" and "never".
    fn from_str(text: &str) -> Result<Self, HoursError> {
        let text = text.trim().to_lowercase().replace('–', "-");
        match text.as_str() {
            "always" => return Ok(Self::WEEK),
            "never" => return Ok(Self::NONE),
            _ => {}
        }
        let words: Vec<&str> = text.split_whitespace().take(3).collect();
        let (days, times) = match words.as_slice() {
            [times] if times.contains(':') => (EVERY_DAY, Some(*times)),
            [named] => (days(named)?, None),
            [named, times] => (days(named)?, Some(*times)),
            _ => return Err(HoursError::Shape),
        };
        let (from_minute, to_minute) = times.map_or(Ok((0, DAY_MINUTES)), span)?;
        Ok(Self { days, from_minute, to_minute })
    }
}

fn days(text: &str) -> Result<u8, HoursError> {
    text.split(',').try_fold(0, |mask, part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut day, last) = (day(first)?, day(last)?);
        let mut found = mask | 1 << day;
        while day != last {
            day = (day + 1) % DAYS.len();
            found |= 1 << day;
        }
        Ok(found)
    })
}

fn day(text: &str) -> Result<usize, HoursError> {
    let named = |full: &&str| *full == text || text.len() == 3 && full.starts_with(text);
    FULL_DAYS.iter().position(named).ok_or_else(|| HoursError::Word(text.into()))
}

fn span(text: &str) -> Result<(u16, u16), HoursError> {
    let (from, to) = text.split_once('-').ok_or_else(|| HoursError::Word(text.into()))?;
    let (from_minute, to_minute) = (time(from)?, time(to)?);
    // Midnight is the beginning of a day as well as the end of one.
    let (from_minute, to_minute) = (from_minute % DAY_MINUTES, if to_minute == 0 { DAY_MINUTES } else { to_minute });
    if from_minute == to_minute {
        return Err(HoursError::Empty(from.into()));
    }
    Ok((from_minute, to_minute))
}

fn time(text: &str) -> Result<u16, HoursError> {
    let fault = || HoursError::Time(text.into());
    let (hour, minute) = text.split_once(':').ok_or_else(fault)?;
    let number = |digits: &str, lengths: &[usize]| {
        let plain = lengths.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<u16>().ok().filter(|_| plain).ok_or_else(fault)
    };
    let (hour, minute) = (number(hour, &[1, 2])?, number(minute, &[2])?);
    if minute > 59 || hour * 60 + minute > DAY_MINUTES {
        return Err(fault());
    }
    Ok(hour * 60 + minute)
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole_day = (self.from_minute, self.to_minute) == (0, DAY_MINUTES);
        if self.days & EVERY_DAY == 0 {
            return f.write_str("never");
        }
        if self.days & EVERY_DAY != EVERY_DAY {
            f.write_str(&named(self.days))?;
        } else if whole_day {
            return f.write_str("always");
        }
        if whole_day {
            return Ok(());
        }
        let gap = if self.days & EVERY_DAY == EVERY_DAY { "" } else { " " };
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        write!(f, "{gap}{}-{}", clock(self.from_minute), clock(self.to_minute))
    }
}

/// Days that follow each other as "Mon-Fri", others one by one.
fn named(mask: u8) -> String {
    let has = |day: usize| mask >> day & 1 == 1;
    let mut parts = Vec::new();
    let mut day = 0;
    while day < DAYS.len() {
        if !has(day) {
            day += 1;
            continue;
        }
        let first = day;
        while day + 1 < DAYS.len() && has(day + 1) {
            day += 1;
        }
        match day - first {
            0 => parts.push(DAYS[first].to_owned()),
            1 => parts.extend([DAYS[first].to_owned(), DAYS[day].to_owned()]),
            _ => parts.push(format!("{}-{}", DAYS[first], DAYS[day])),
        }
        day += 1;
    }
    parts.join(",")
}

impl Hours {
    /// Every minute of the week.
    #[must_use]
    pub fn always() -> Self {
        Self { windows: vec![Window::WEEK] }
    }

    /// No minute at all.
    #[must_use]
    pub fn never() -> Self {
        Self { windows: vec![Window::NONE] }
    }

    /// Reads the list of a settings file: one text for each window, an empty list for *always*.
    ///
    /// # Errors
    /// The place of the first text that cannot be read, and why.
    pub fn parse<S: AsRef<str>>(texts: &[S]) -> Result<Self, (usize, HoursError)> {
        if texts.is_empty() {
            return Ok(Self::always());
        }
        if texts.len() > WINDOWS_MAX {
            return Err((WINDOWS_MAX, HoursError::Many(texts.len())));
        }
        let read = |(place, text): (usize, &S)| {
            let window: Window = text.as_ref().parse().map_err(|error| (place, error))?;
            let alone = window == Window::WEEK || window == Window::NONE;
            if alone && texts.len() > 1 {
                return Err((place, HoursError::Alone(text.as_ref().into())));
            }
            Ok(window)
        };
        let windows = texts.iter().enumerate().map(read).collect::<Result<_, _>>()?;
        Ok(Self { windows })
    }

    /// The windows, of which there is at least one; [`Window::days`] is 0 only in *never*.
    #[must_use]
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// The list as a settings file has it; [`Hours::parse`] reads it back.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        if self.windows == [Window::WEEK] {
            return Vec::new();
        }
        self.windows.iter().map(ToString::to_string).collect()
    }

    /// Whether they hold a minute of a day; `day` 0 is Monday.
    #[must_use]
    pub fn contains(&self, day: u8, minute: u16) -> bool {
        self.windows.iter().any(|window| window.contains(day, minute))
    }

    /// The minutes that both hold. Where one lies within the other it is kept as its author wrote it.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        let (own, theirs) = (self.week(), other.week());
        let both: Vec<bool> = own.iter().zip(&theirs).map(|(own, theirs)| *own && *theirs).collect();
        if both == own {
            return self.clone();
        }
        if both == theirs {
            return other.clone();
        }
        Self::from_week(&both)
    }

    /// One bit for each minute of the week.
    fn week(&self) -> Vec<bool> {
        let mut week = vec![false; WEEK_MINUTES];
        for window in &self.windows {
            let length = (window.to_minute + DAY_MINUTES - window.from_minute - 1) % DAY_MINUTES + 1;
            for day in (0..DAYS.len()).filter(|day| window.days >> day & 1 == 1) {
                let from = day * usize::from(DAY_MINUTES) + usize::from(window.from_minute);
                (from..from + usize::from(length)).for_each(|minute| week[minute % WEEK_MINUTES] = true);
            }
        }
        week
    }

    /// Windows within single days, those with equal times put together.
    fn from_week(week: &[bool]) -> Self {
        let mut windows: Vec<Window> = Vec::new();
        for (day, minutes) in week.chunks(usize::from(DAY_MINUTES)).enumerate() {
            let mut from = None;
            let ends = minutes.iter().copied().chain([false]);
            for (minute, open) in (0_u16..).zip(ends) {
                match (from, open) {
                    (None, true) => from = Some(minute),
                    (Some(from_minute), false) => {
                        add(&mut windows, Window { days: 1 << day, from_minute, to_minute: minute });
                        from = None;
                    }
                    _ => {}
                }
            }
        }
        if windows.is_empty() { Self::never() } else { Self { windows } }
    }
}

fn add(windows: &mut Vec<Window>, fresh: Window) {
    let times = |window: &Window| (window.from_minute, window.to_minute);
    match windows.iter_mut().find(|window| times(window) == times(&fresh)) {
        Some(window) => window.days |= fresh.days,
        None => windows.push(fresh),
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.windows.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join("; "))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hours(texts: &[&str]) -> Hours {
        Hours::parse(texts).unwrap()
    }

    #[test]
    fn windows_read_as_people_write_them() {
        for (text, days, from_minute, to_minute, shown) in [
            ("Mon-Fri 18:00-08:00", 0b001_1111, 18 * 60, 8 * 60, "Mon-Fri 18:00-08:00"),
            ("Sat-Sun", 0b110_0000, 0, DAY_MINUTES, "Sat,Sun"),
            ("22:00-06:00", EVERY_DAY, 22 * 60, 6 * 60, "22:00-06:00"),
            ("fri-MON 7:30-24:00", 0b111_0001, 7 * 60 + 30, DAY_MINUTES, "Mon,Fri-Sun 07:30-24:00"),
            ("Monday,Wed 18:00-00:00", 0b000_0101, 18 * 60, DAY_MINUTES, "Mon,Wed 18:00-24:00"),
            ("24:00-06:00", EVERY_DAY, 0, 6 * 60, "00:00-06:00"),
            ("mon–sun", EVERY_DAY, 0, DAY_MINUTES, "always"),
            ("Never", 0, 0, DAY_MINUTES, "never"),
        ] {
            let window: Window = text.parse().unwrap();
            assert_eq!(window, Window { days, from_minute, to_minute }, "{text}");
            assert_eq!(window.to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for text in [
            "",
            " ",
            "Mo",
            "Mon-",
            "-Fri",
            "Mon,,Tue",
            "Mon 25:00-26:00",
            "18:00",
            "18-20",
            "18:0-19:00",
            "+1:00-02:00",
            "08:00-08:00",
            "Mon 08:00-09:00 Tue",
            "08:00-09:00 Mon",
            "Mon08:00-09:00",
            "12:60-13:00",
            "24:01-25:00",
            "Мон",
        ] {
            assert!(text.parse::<Window>().is_err(), "{text}");
        }
        assert_eq!(Hours::parse(&["Mon", "never"]), Err((1, HoursError::Alone("never".into()))));
    }

    #[test]
    fn a_night_ends_on_the_day_after() {
        let friday = hours(&["Fri 18:00-08:00"]);
        for (day, minute, inside) in
            [(4, 17 * 60 + 59, false), (4, 18 * 60, true), (5, 7 * 60 + 59, true), (5, 8 * 60, false), (3, 60, false)]
        {
            assert_eq!(friday.contains(day, minute), inside, "day {day}, minute {minute}");
        }
        assert!(hours(&["Sun 23:00-01:00"]).contains(0, 30), "the week is a circle");
    }

    #[test]
    fn nothing_in_common_is_never_and_not_always() {
        let none = hours(&["Mon-Fri"]).intersect(&hours(&["Sat-Sun"]));
        assert_eq!((none.clone(), none.texts()), (Hours::never(), vec!["never".to_owned()]));
        assert!(!none.windows().is_empty());
        assert_eq!(Hours::parse::<&str>(&[]).unwrap(), Hours::always());
    }

    #[test]
    fn the_narrower_hours_stay_as_they_were_written() {
        let (wide, narrow) = (hours(&["18:00-08:00", "Sat-Sun"]), hours(&["Mon-Fri 20:00-06:00"]));
        assert_eq!(wide.intersect(&narrow), narrow);
        assert_eq!(narrow.intersect(&wide), narrow);
        let cut = hours(&["Mon-Fri 18:00-08:00"]).intersect(&hours(&["06:00-20:00"]));
        assert_eq!(cut.texts(), ["Mon-Fri 18:00-20:00", "Tue-Sat 06:00-08:00"]);
    }

    pub(crate) fn any_hours() -> impl Strategy<Value = Hours> {
        let window = (1_u8..128, 0..DAY_MINUTES, 1..=DAY_MINUTES)
            .prop_filter("a window has a length", |(_, from, to)| from != to)
            .prop_map(|(days, from_minute, to_minute)| Window { days, from_minute, to_minute })
            .prop_filter("always stands alone", |window| *window != Window::WEEK);
        prop_oneof![
            1 => Just(Hours::always()),
            1 => Just(Hours::never()),
            6 => prop::collection::vec(window, 1..5).prop_map(|windows| Hours { windows }),
        ]
    }

    proptest! {
        #[test]
        fn no_text_is_a_trap(text in any::<String>()) {
            let _ = text.parse::<Window>();
        }

        #[test]
        fn what_is_shown_reads_back(hours in any_hours()) {
            prop_assert_eq!(Hours::parse(&hours.texts()).unwrap(), hours);
        }

        #[test]
        fn an_intersection_holds_what_both_hold(a in any_hours(), b in any_hours(), day in 0_u8..7, minute in 0..DAY_MINUTES) {
            let both = a.intersect(&b);
            prop_assert_eq!(both.contains(day, minute), a.contains(day, minute) && b.contains(day, minute));
            prop_assert_eq!(Hours::parse(&both.texts()).unwrap(), both);
        }

        #[test]
        fn the_week_and_the_windows_agree(hours in any_hours(), day in 0_u8..7, minute in 0..DAY_MINUTES) {
            let bit = hours.week()[usize::from(day) * usize::from(DAY_MINUTES) + usize::from(minute)];
            prop_assert_eq!(bit, hours.contains(day, minute));
        }
    }
}
