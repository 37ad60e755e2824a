//! Moments, durations and numbers as people read them, in their language and on this machine's own clock.

use jiff::{Timestamp, Zoned, civil::Date, civil::Weekday};

use crate::{Lang, words};

const MINUTE_MS: u64 = 60_000;
/// Up to here a duration is told in hours, from there on in days.
const HOURS_MAX: u64 = 48;

/// A moment in milliseconds since 1970; before that it is 0.
pub(crate) fn unix_ms(at: &Zoned) -> u64 {
    at.timestamp().as_millisecond().max(0).unsigned_abs()
}

/// A moment on the clock that `now` is read from; `None`: no clock shows it.
pub(crate) fn local(unix_ms: u64, now: &Zoned) -> Option<Zoned> {
    let at = Timestamp::from_millisecond(i64::try_from(unix_ms).ok()?).ok()?;
    Some(at.to_zoned(now.time_zone().clone()))
}

/// A moment as briefly as it is clear: "14:30", "tomorrow, 06:00", "Wednesday, 08:00", "30 November 2026, 08:00".
pub(crate) fn moment(lang: Lang, at: &Zoned, now: &Zoned) -> String {
    let time = format!("{:02}:{:02}", at.hour(), at.minute());
    match days_from(now.date(), at.date()) {
        0 => words::moment_today(lang, time),
        1 => words::moment_tomorrow(lang, time),
        -1 => words::moment_yesterday(lang, time),
        2..=6 => words::moment_weekday(lang, weekday(lang, at.weekday()), time),
        _ => words::moment_date(lang, at.day(), month(lang, at.month()), at.year(), time),
    }
}

/// How many calendar days later `to` is.
fn days_from(from: Date, to: Date) -> i32 {
    (to - from).get_days()
}

fn weekday(lang: Lang, day: Weekday) -> &'static str {
    weekday_name(lang, day.to_monday_zero_offset().unsigned_abs())
}

/// The name of a day of the week; 0 is Monday.
fn weekday_name(lang: Lang, day: u8) -> &'static str {
    match day % 7 {
        0 => words::monday(lang),
        1 => words::tuesday(lang),
        2 => words::wednesday(lang),
        3 => words::thursday(lang),
        4 => words::friday(lang),
        5 => words::saturday(lang),
        _ => words::sunday(lang),
    }
}

fn month(lang: Lang, month: i8) -> &'static str {
    match month {
        1 => words::january(lang),
        2 => words::february(lang),
        3 => words::march(lang),
        4 => words::april(lang),
        5 => words::may(lang),
        6 => words::june(lang),
        7 => words::july(lang),
        8 => words::august(lang),
        9 => words::september(lang),
        10 => words::october(lang),
        11 => words::november(lang),
        _ => words::december(lang),
    }
}

/// What is left of a wait, rounded up to whole minutes, so that an hour begins as "1 h".
pub(crate) fn left(lang: Lang, ms: u64) -> String {
    match ms.div_ceil(MINUTE_MS) {
        0 | 1 => words::under_a_minute(lang).into(),
        minutes => whole_minutes(lang, minutes),
    }
}

/// When [`left`] tells something else, in milliseconds from now.
pub(crate) fn left_changes_in_ms(ms: u64) -> u64 {
    match ms % MINUTE_MS {
        0 => MINUTE_MS,
        rest => rest,
    }
}

fn whole_minutes(lang: Lang, minutes: u64) -> String {
    match (minutes / 60, minutes % 60) {
        (0, minutes) => words::minutes(lang, minutes),
        (hours, 0) if hours < HOURS_MAX => words::hours(lang, hours),
        (hours, minutes) if hours < HOURS_MAX => words::hours_minutes(lang, hours, minutes),
        (hours, _) => words::days(lang, (hours + 12) / 24),
    }
}

/// A whole number with marks between the thousands.
pub(crate) fn number(lang: Lang, number: u64) -> String {
    let digits = number.to_string();
    let mut marked = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            marked.push_str(words::thousands_mark(lang));
        }
        marked.push(digit);
    }
    marked
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    /// Central Europe without asking the system: winter time ends on 28 March 2027.
    fn at(text: &str) -> Zoned {
        text.parse::<Timestamp>().unwrap().to_zoned(TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap())
    }

    #[test]
    fn a_moment_is_told_in_both_languages() {
        let now = at("2026-11-22T13:30:00Z");
        for (then, en, de) in [
            ("2026-11-22T13:30:00Z", "14:30", "14:30 Uhr"),
            ("2026-11-22T22:59:59Z", "23:59", "23:59 Uhr"),
            ("2026-11-22T23:00:00Z", "tomorrow, 00:00", "morgen, 00:00 Uhr"),
            ("2026-11-23T05:00:00Z", "tomorrow, 06:00", "morgen, 06:00 Uhr"),
            ("2026-11-25T07:00:00Z", "Wednesday, 08:00", "Mittwoch, 08:00 Uhr"),
            ("2026-11-29T07:00:00Z", "29 November 2026, 08:00", "29. November 2026, 08:00 Uhr"),
            ("2027-07-01T06:00:00Z", "1 July 2027, 08:00", "1. Juli 2027, 08:00 Uhr"),
            ("2026-11-21T10:05:00Z", "yesterday, 11:05", "gestern, 11:05 Uhr"),
            ("2026-03-02T10:05:00Z", "2 March 2026, 11:05", "2. März 2026, 11:05 Uhr"),
        ] {
            assert_eq!([moment(Lang::En, &at(then), &now), moment(Lang::De, &at(then), &now)], [en, de], "{then}");
        }
    }

    #[test]
    fn what_is_left_counts_down() {
        for (ms, en, de) in [
            (0, "under 1 min", "unter 1 Min."),
            (59_999, "under 1 min", "unter 1 Min."),
            (60_000, "under 1 min", "unter 1 Min."),
            (60_001, "2 min", "2 Min."),
            (240_000, "4 min", "4 Min."),
            (3_599_001, "1 h", "1 Std."),
            (3_600_000, "1 h", "1 Std."),
            (5_400_000, "1 h 30 min", "1 Std. 30 Min."),
            (172_799_000, "2 days", "2 Tage"),
            (864_000_000, "10 days", "10 Tage"),
        ] {
            assert_eq!([left(Lang::En, ms), left(Lang::De, ms)], [en, de], "{ms}");
        }
    }

    #[test]
    fn the_countdown_is_drawn_again_when_it_tells_something_else() {
        for ms in [1, 999, 59_999, 60_000, 60_001, 119_999, 120_000, 3_600_000, 3_600_001] {
            let after = left_changes_in_ms(ms);
            assert_eq!(left(Lang::En, ms), left(Lang::En, ms - (after - 1)), "{ms} is told anew too late");
            let changed = ms == after || left(Lang::En, ms) != left(Lang::En, ms - after);
            assert!(changed, "{ms} is told anew too early");
        }
    }

    #[test]
    fn numbers_have_their_languages_marks() {
        for (value, en, de) in [(0, "0", "0"), (999, "999", "999"), (1_000, "1,000", "1.000")] {
            assert_eq!([number(Lang::En, value), number(Lang::De, value)], [en, de]);
        }
        assert_eq!(number(Lang::De, 12_345_678), "12.345.678");
    }
}
