//! Times and durations.

use super::messages;

messages! {
    moment_today(time) { en: "{time}", de: "{time} Uhr" }
    moment_tomorrow(time) { en: "tomorrow, {time}", de: "morgen, {time} Uhr" }
    moment_yesterday(time) { en: "yesterday, {time}", de: "gestern, {time} Uhr" }
    moment_weekday(day, time) { en: "{day}, {time}", de: "{day}, {time} Uhr" }
    moment_date(day, month, year, time) { en: "{day} {month} {year}, {time}", de: "{day}. {month} {year}, {time} Uhr" }

    monday { en: "Monday", de: "Montag" }
    tuesday { en: "Tuesday", de: "Dienstag" }
    wednesday { en: "Wednesday", de: "Mittwoch" }
    thursday { en: "Thursday", de: "Donnerstag" }
    friday { en: "Friday", de: "Freitag" }
    saturday { en: "Saturday", de: "Samstag" }
    sunday { en: "Sunday", de: "Sonntag" }

    january { en: "January", de: "Januar" }
    february { en: "February", de: "Februar" }
    march { en: "March", de: "März" }
    april { en: "April", de: "April" }
    may { en: "May", de: "Mai" }
    june { en: "June", de: "Juni" }
    july { en: "July", de: "Juli" }
    august { en: "August", de: "August" }
    september { en: "September", de: "September" }
    october { en: "October", de: "Oktober" }
    november { en: "November", de: "November" }
    december { en: "December", de: "Dezember" }

    under_a_minute { en: "under 1 min", de: "unter 1 Min." }
    minutes(number) { en: "{number} min", de: "{number} Min." }
    hours(number) { en: "{number} h", de: "{number} Std." }
    hours_minutes(hours, minutes) { en: "{hours} h {minutes} min", de: "{hours} Std. {minutes} Min." }
    days(number) { en: "{number} days", de: "{number} Tage" }

    thousands_mark { en: ",", de: "." }
    at_least(number) { en: "at least {number}", de: "mindestens {number}" }
}
