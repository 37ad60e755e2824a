use lull_policy::{DAY_MINUTES, Hours, Window};

use crate::{Lang, clock, words};

const EVERY_DAY: u8 = 0b111_1111;

/// Weekly windows in words: "Mon-Fri 18:00-08:00; Sat, Sun all day".
pub(crate) fn shown(lang: Lang, hours: &Hours) -> String {
    if *hours == Hours::always() {
        return words::value_always(lang).into();
    }
    if *hours == Hours::never() {
        return words::value_never(lang).into();
    }
    hours.windows().iter().map(|window| one(lang, window)).collect::<Vec<_>>().join("; ")
}

fn one(lang: Lang, window: &Window) -> String {
    let Window { days, from_minute, to_minute } = *window;
    let named = if days == EVERY_DAY { words::every_day(lang).to_owned() } else { day_names(lang, days) };
    if (from_minute, to_minute) == (0, DAY_MINUTES) {
        return format!("{named} {}", words::all_day(lang));
    }
    let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    format!("{named} {}–{}", time(from_minute), time(to_minute))
}

/// Three days or more in a row are told as a span.
fn day_names(lang: Lang, days: u8) -> String {
    let mut spans: Vec<(u8, u8)> = Vec::new();
    for day in (0..7).filter(|day| days >> day & 1 == 1) {
        match spans.last_mut() {
            Some((_, last)) if *last + 1 == day => *last = day,
            _ => spans.push((day, day)),
        }
    }
    let told = spans.into_iter().flat_map(|(first, last)| match last - first {
        0 => vec![short(lang, first)],
        1 => vec![short(lang, first), short(lang, last)],
        _ => vec![format!("{}–{}", short(lang, first), short(lang, last))],
    });
    told.collect::<Vec<_>>().join(", ")
}

/// "Mon" in English, "Mo" in German.
fn short(lang: Lang, day: u8) -> String {
    let letters = match lang {
        Lang::En => 3,
        Lang::De => 2,
    };
    clock::weekday_name(lang, day).chars().take(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_told_in_both_languages() {
        for (texts, en, de) in [
            (&[][..], "Always", "Immer"),
            (&["never"], "Never", "Nie"),
            (
                &["Mon-Fri 18:00-08:00", "Sat-Sun"],
                "Mon–Fri 18:00–08:00; Sat, Sun all day",
                "Mo–Fr 18:00–08:00; Sa, So ganztags",
            ),
            (&["22:00-06:30"], "every day 22:00–06:30", "täglich 22:00–06:30"),
            (&["Mon,Wed 01:00-02:00"], "Mon, Wed 01:00–02:00", "Mo, Mi 01:00–02:00"),
        ] {
            let hours = Hours::parse(texts).unwrap();
            assert_eq!([shown(Lang::En, &hours), shown(Lang::De, &hours)], [en, de]);
        }
    }
}
