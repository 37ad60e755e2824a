//! Times, durations, numbers and their units.

use super::messages;

messages! {
    moment_today(time) { en: "{time}", de: "{time} Uhr" }
    moment_tomorrow(time) { en: "tomorrow, {time}", de: "morgen, {time} Uhr" }
    moment_yesterday(time) { en: "yesterday, {time}", de: "gestern, {time} Uhr" }
    moment_weekday(day, time) { en: "{day}, {time}", de: "{day}, {time} Uhr" }
    moment_date(day, month, year, time) { en: "{day} {month} {year}, {time}", de: "{day}. {month} {year}, {time} Uhr" }
    day_today { en: "today", de: "heute" }
    day_yesterday { en: "yesterday", de: "gestern" }
    day_date(day, month) { en: "{day} {month}", de: "{day}. {month}" }

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
    seconds(number) { en: "{number} s", de: "{number} s" }
    minutes(number) { en: "{number} min", de: "{number} Min." }
    hours(number) { en: "{number} h", de: "{number} Std." }
    hours_minutes(hours, minutes) { en: "{hours} h {minutes} min", de: "{hours} Std. {minutes} Min." }
    days(number) { en: "{number} days", de: "{number} Tage" }

    decimal_point { en: ".", de: "," }
    thousands_mark { en: ",", de: "." }
    kilobytes(number) { en: "{number} kB", de: "{number} kB" }
    megabytes(number) { en: "{number} MB", de: "{number} MB" }
    gigabytes(number) { en: "{number} GB", de: "{number} GB" }
    watt_hours(number) { en: "about {number} Wh (estimated)", de: "etwa {number} Wh (geschätzt)" }
    kilowatt_hours(number) { en: "about {number} kWh (estimated)", de: "etwa {number} kWh (geschätzt)" }
    at_least(number) { en: "at least {number}", de: "mindestens {number}" }
    named(text, what) { en: "{text} ({what})", de: "{text} ({what})" }
    because(text, why) { en: "{text}: {why}", de: "{text}: {why}" }
}
