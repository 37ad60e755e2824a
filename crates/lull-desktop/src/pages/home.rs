use jiff::{ToSpan as _, Zoned, civil::Date};
use lull_types::RanHere;
use serde::Serialize;

use crate::{Headline, Item, Lang, State, clock, menu, words};

/// How many days the bars show.
pub const GAVE_DAYS: i32 = 30;
const WEEK_DAYS: i32 = 7;

/// What this machine does, and what it gave.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HomePage {
    /// State, reason, until when.
    pub headline: Headline,
    /// What can be done about it, as in the tray.
    pub verbs: Vec<Item>,
    /// Today, 7 days, 30 days.
    pub gave: [Gave; 3],
    /// One for each of the last [`GAVE_DAYS`] days, the oldest first.
    pub bars: Vec<Bar>,
    /// How the energy is estimated.
    pub energy_formula: &'static str,
    /// What to know about the numbers, if there is anything.
    pub note: Option<&'static str>,
}

/// What this machine gave in a span of days.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gave {
    /// Which days, in words.
    pub span: &'static str,
    /// Jobs that ran.
    pub jobs: u64,
    /// The same in words.
    pub jobs_words: String,
    /// How long they ran, in milliseconds.
    pub ran_ms: u64,
    /// The same in words.
    pub ran_words: String,
    /// Tokens that were generated.
    pub tokens: u64,
    /// The same in words.
    pub tokens_words: String,
    /// Energy in watt-hours, estimated.
    pub energy_wh: f64,
    /// The same in words.
    pub energy_words: String,
}

/// One day as a bar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bar {
    /// Which day, in words.
    pub day: String,
    /// What a screen reader says.
    pub words: String,
    /// How long jobs ran that day, in milliseconds.
    pub ran_ms: u64,
    /// Its height, in percent of the highest.
    pub percent: u8,
}

/// What one day, or several, sum up to.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    jobs: u64,
    ran_ms: u64,
    tokens: u64,
    energy_wh: f64,
}

/// The page from the newest jobs; `is_cut`: the log holds more than these.
#[must_use]
pub fn home(state: &State, jobs: &[RanHere], is_cut: bool, now: &Zoned) -> HomePage {
    let lang = state.lang;
    let days = by_day(jobs, now);
    let sum = |count: i32| days[days.len() - count as usize..].iter().fold(Sum::default(), |sum, day| sum.and(*day));
    let gave = [
        sum(1).told(lang, words::gave_today(lang)),
        sum(WEEK_DAYS).told(lang, words::gave_week(lang)),
        sum(GAVE_DAYS).told(lang, words::gave_month(lang)),
    ];
    let note = match (jobs.is_empty(), is_cut) {
        (true, _) => Some(words::gave_empty(lang)),
        (false, true) => Some(words::gave_cut(lang)),
        (false, false) => None,
    };
    HomePage {
        headline: Headline::of(state, now),
        verbs: menu::verbs(state, now),
        gave,
        bars: bars(lang, &days, now),
        energy_formula: words::energy_formula(lang),
        note,
    }
}

/// One sum for each of the last days, the oldest first. What a wrong clock put into the future counts as today.
fn by_day(jobs: &[RanHere], now: &Zoned) -> Vec<Sum> {
    let mut days = vec![Sum::default(); GAVE_DAYS as usize];
    for job in jobs {
        let Some(at) = clock::local(job.ended_unix_ms, now) else { continue };
        let ago = clock::days_from(at.date(), now.date()).max(0);
        if ago < GAVE_DAYS {
            let day = &mut days[(GAVE_DAYS - 1 - ago) as usize];
            *day = day.and(Sum::of(job));
        }
    }
    days
}

fn bars(lang: Lang, days: &[Sum], now: &Zoned) -> Vec<Bar> {
    let highest = days.iter().map(|day| day.ran_ms).max().unwrap_or(0).max(1);
    let oldest = days.len() as i64 - 1;
    let date = |index: usize| -> Date { now.date().saturating_sub((oldest - index as i64).days()) };
    let bar = |(index, sum): (usize, &Sum)| {
        let day = clock::day(lang, date(index), now);
        let percent = (u128::from(sum.ran_ms) * 100).div_ceil(u128::from(highest));
        Bar {
            words: words::line(
                lang,
                &day,
                format_args!("{}, {}", jobs_words(lang, sum.jobs), clock::took(lang, sum.ran_ms)),
            ),
            day,
            ran_ms: sum.ran_ms,
            percent: u8::try_from(percent).unwrap_or(100),
        }
    };
    days.iter().enumerate().map(bar).collect()
}

fn jobs_words(lang: Lang, jobs: u64) -> String {
    match jobs {
        0 => words::jobs_none(lang).into(),
        1 => words::jobs_one(lang).into(),
        jobs => words::jobs_many(lang, clock::number(lang, jobs)),
    }
}

impl Sum {
    fn of(job: &RanHere) -> Self {
        let energy_wh = if job.energy_wh.is_finite() { f64::from(job.energy_wh).max(0.0) } else { 0.0 };
        Self { jobs: 1, ran_ms: job.ran_ms, tokens: u64::from(job.completion_tokens), energy_wh }
    }

    fn and(self, other: Self) -> Self {
        Self {
            jobs: self.jobs + other.jobs,
            ran_ms: self.ran_ms.saturating_add(other.ran_ms),
            tokens: self.tokens.saturating_add(other.tokens),
            energy_wh: self.energy_wh + other.energy_wh,
        }
    }

    fn told(self, lang: Lang, span: &'static str) -> Gave {
        let Self { jobs, ran_ms, tokens, energy_wh } = self;
        Gave {
            span,
            jobs,
            jobs_words: jobs_words(lang, jobs),
            ran_ms,
            ran_words: clock::took(lang, ran_ms),
            tokens,
            tokens_words: words::tokens(lang, clock::number(lang, tokens)),
            energy_wh,
            energy_words: clock::energy(lang, energy_wh),
        }
    }
}
