//! Moments as people read them, on this machine's own clock.

use jiff::{Timestamp, Zoned, tz::TimeZone};
use lull_types::Until;

/// A moment to come, as briefly as it is clear: "14:05 (in 12 min)", "tomorrow 06:00 (in 9 h)", "2026-11-30 06:00".
pub(crate) fn coming(until: Until, now: &Zoned) -> String {
    let Some(at) = local(until.unix_ms, now.time_zone()) else { return "a day that no clock shows".into() };
    let left_s = (at.timestamp().as_millisecond() - now.timestamp().as_millisecond() + 999) / 1_000;
    if left_s <= 0 {
        return "now".into();
    }
    let clock = at.strftime(if left_s < 60 { "%H:%M:%S" } else { "%H:%M" });
    if at.date() == now.date() {
        return format!("{clock} (in {})", span(left_s));
    }
    if now.tomorrow().is_ok_and(|tomorrow| tomorrow.date() == at.date()) {
        return format!("tomorrow {clock} (in {})", span(left_s));
    }
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

/// A moment that has been: date and time.
pub(crate) fn past(unix_ms: u64, zone: &TimeZone) -> String {
    local(unix_ms, zone).map_or_else(|| "-".into(), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// A moment with its distance from UTC, for programs.
pub(crate) fn exact(unix_ms: u64, zone: &TimeZone) -> String {
    local(unix_ms, zone).map_or_else(String::new, |at| at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
}

fn local(unix_ms: u64, zone: &TimeZone) -> Option<Zoned> {
    let at = Timestamp::from_millisecond(i64::try_from(unix_ms).ok()?).ok()?;
    Some(at.to_zoned(zone.clone()))
}

/// Seconds, minutes or hours; never more than there are left.
fn span(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        _ if seconds % 3_600 < 60 => format!("{} h", seconds / 3_600),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_to_come_is_told_on_this_machines_clock() {
        let now: Zoned = "2026-11-20T22:50:30+01:00[Europe/Berlin]".parse().unwrap();
        for (at, told) in [
            ("2026-11-20T22:50:42+01:00", "22:50:42 (in 12 s)"),
            ("2026-11-20T22:55:30+01:00", "22:55 (in 5 min)"),
            ("2026-11-20T23:50:30+01:00", "23:50 (in 1 h)"),
            ("2026-11-21T00:20:31+01:00", "tomorrow 00:20 (in 1 h 30 min)"),
            ("2026-11-21T05:00:00Z", "tomorrow 06:00 (in 7 h 9 min)"),
            ("2026-11-22T06:00:00+01:00", "2026-11-22 06:00"),
            ("2027-07-01T06:00:00+02:00", "2027-07-01 06:00"),
            ("2026-11-20T22:50:30+01:00", "now"),
            ("2020-01-01T00:00:00Z", "now"),
        ] {
            let moment: Timestamp = at.parse().unwrap();
            let until = Until { unix_ms: moment.as_millisecond().unsigned_abs() };
            assert_eq!(coming(until, &now), told, "{at}");
        }
        assert_eq!(coming(Until { unix_ms: u64::MAX }, &now), "a day that no clock shows");
    }

    #[test]
    fn a_moment_that_has_been_has_its_date() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(
            past(1_795_000_000_000, &berlin),
            "2026-11-18T12:06:40+01:00".replace('T', " ").replace("+01:00", "")
        );
        assert_eq!(exact(1_795_000_000_000, &berlin), "2026-11-18T12:06:40+01:00");
        assert_eq!(past(u64::MAX, &berlin), "-");
    }
}
