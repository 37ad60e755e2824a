use lull_types::{Reason, Signal};

use crate::{Lang, words};

/// The longest text of others (a program's name, an error) that is shown, in characters.
const FOREIGN_CHARS_MAX: usize = 240;

/// A reason as a person reads it after the state's name and a colon.
pub(crate) fn sentence(reason: &Reason, lang: Lang) -> String {
    match reason {
        Reason::NotAgreed => words::not_agreed(lang).into(),
        Reason::Organisation => words::organisation(lang).into(),
        Reason::RulesBroken { why } => because(lang, words::rules_broken(lang), why),
        Reason::NoWorker { why } => because(lang, words::no_worker(lang), why),
        Reason::Paused => words::paused(lang).into(),
        Reason::Finishing => words::finishing(lang).into(),
        Reason::InUse { signal, what } => named(lang, in_use(*signal, lang), what),
        Reason::Unknown { signal, why } => named(lang, unknown(*signal, lang), why),
        Reason::JustLeft => words::just_left(lang).into(),
        Reason::OutsideHours => words::outside_hours(lang).into(),
        Reason::Settling => words::settling(lang).into(),
    }
}

fn in_use(signal: Signal, lang: Lang) -> &'static str {
    match signal {
        Signal::Input => words::in_use_input(lang),
        Signal::Session => words::in_use_session(lang),
        Signal::Remote => words::in_use_remote(lang),
        Signal::Sleep => words::in_use_sleep(lang),
        Signal::Film => words::in_use_film(lang),
        Signal::Call => words::in_use_call(lang),
        Signal::FullScreen => words::in_use_full_screen(lang),
        Signal::Power => words::in_use_power(lang),
        Signal::Heat => words::in_use_heat(lang),
        Signal::Network => words::in_use_network(lang),
        Signal::Load => words::in_use_load(lang),
        Signal::Memory => words::in_use_memory(lang),
        Signal::Gpu => words::in_use_gpu(lang),
        Signal::App => words::in_use_app(lang),
        Signal::Clock => words::in_use_clock(lang),
    }
}

fn unknown(signal: Signal, lang: Lang) -> &'static str {
    match signal {
        Signal::Input => words::unknown_input(lang),
        Signal::Session => words::unknown_session(lang),
        Signal::Remote => words::unknown_remote(lang),
        Signal::Sleep => words::unknown_sleep(lang),
        Signal::Film => words::unknown_film(lang),
        Signal::Call => words::unknown_call(lang),
        Signal::FullScreen => words::unknown_full_screen(lang),
        Signal::Power => words::unknown_power(lang),
        Signal::Heat => words::unknown_heat(lang),
        Signal::Network => words::unknown_network(lang),
        Signal::Load => words::unknown_load(lang),
        Signal::Memory => words::unknown_memory(lang),
        Signal::Gpu => words::unknown_gpu(lang),
        Signal::App => words::unknown_app(lang),
        Signal::Clock => words::unknown_clock(lang),
    }
}

fn named(lang: Lang, text: &str, what: &str) -> String {
    let what = foreign(what);
    if what.is_empty() { text.into() } else { words::named(lang, text, what) }
}

/// A text and the error behind it, if that says anything.
pub(crate) fn because(lang: Lang, text: &str, why: &str) -> String {
    let why = foreign(why);
    if why.is_empty() { text.into() } else { words::because(lang, text, why) }
}

/// What others wrote, on one line, without control characters and not too long.
pub(crate) fn foreign(text: &str) -> String {
    // Those that turn the direction of writing could make a menu say something else.
    let turns = |c: char| matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let plain = text.chars().map(|c| if c.is_control() || turns(c) { ' ' } else { c });
    let plain: String = plain.take(4 * FOREIGN_CHARS_MAX).collect();
    shortened(&plain.split_whitespace().collect::<Vec<_>>().join(" "), FOREIGN_CHARS_MAX)
}

/// At most so many characters, the last one an ellipsis where something is left out.
pub(crate) fn shortened(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.into();
    }
    let kept: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_stays_on_one_line() {
        assert_eq!(foreign(" a\n\tb\u{202e}c \u{7} "), "a b c");
        assert_eq!(foreign("\n"), "");
        assert_eq!(foreign(&"ä".repeat(10_000)).chars().count(), FOREIGN_CHARS_MAX);
        let what = "a call\n(Firefox)".to_owned();
        let reason = Reason::InUse { signal: Signal::Call, what };
        assert_eq!(sentence(&reason, Lang::De), "Mikrofon oder Kamera wird benutzt (a call (Firefox))");
    }

    #[test]
    fn an_empty_detail_leaves_no_brackets() {
        let reason = Reason::Unknown { signal: Signal::Power, why: String::new() };
        assert_eq!(sentence(&reason, Lang::En), "Lull cannot tell whether the computer runs on battery");
        assert_eq!(sentence(&Reason::NoWorker { why: " ".into() }, Lang::En), "no model can run here");
    }

    #[test]
    fn what_is_shortened_says_so() {
        assert_eq!(shortened("abcdef", 6), "abcdef");
        assert_eq!(shortened("abcdefg", 6), "abcde…");
        assert_eq!(shortened("abcd efg", 6), "abcd…");
    }
}
