use jiff::Zoned;
use lull_types::{RanHere, StatusView, Tier};
use serde::Serialize;

use crate::{Lang, clock, reason, words};

/// What this machine accepts and from whom, and what ran here.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PrivacyPage {
    /// What holds for this machine.
    pub facts: Vec<Fact>,
    /// What is missing around a worker, each with what to change.
    pub shortfalls: Vec<String>,
    /// What ran here, newest first.
    pub ran: Vec<RanRow>,
    /// Said in place of an empty list.
    pub empty: Option<&'static str>,
}

/// A heading and what is so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// The heading.
    pub title: &'static str,
    /// What is so.
    pub text: String,
}

/// One job that ran here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RanRow {
    /// Its place in the log.
    pub id: u64,
    /// When it ended.
    pub ended: String,
    /// The model.
    pub model: String,
    /// How much was generated.
    pub tokens: String,
    /// How long it ran.
    pub ran: String,
    /// What it took, estimated.
    pub energy: String,
    /// How it ended.
    pub outcome: String,
}

/// The page from the node's word and its log.
#[must_use]
pub fn privacy(lang: Lang, status: &StatusView, jobs: &[RanHere], now: &Zoned) -> PrivacyPage {
    let fact = |title: &'static str, text: String| Fact { title, text };
    let groups = match status.groups.as_slice() {
        [] => words::groups_none(lang).into(),
        groups => reason::foreign(&groups.join(", ")),
    };
    let facts = vec![
        fact(words::who_asks(lang), words::who_asks_org(lang, reason::foreign(&status.org))),
        fact(words::groups(lang), groups),
        fact(words::seen_by(lang), words::seen_by_words(lang).into()),
        fact(words::content(lang), words::content_words(lang).into()),
        fact(words::sandbox(lang), sandbox(lang, status)),
    ];
    let shortfalls =
        status.sandbox.shortfalls.iter().map(|short| reason::foreign(&short.why)).filter(|why| !why.is_empty());
    PrivacyPage {
        facts,
        shortfalls: shortfalls.collect(),
        ran: jobs.iter().map(|job| row(lang, job, now)).collect(),
        empty: jobs.is_empty().then(|| words::ran_empty(lang)),
    }
}

fn sandbox(lang: Lang, status: &StatusView) -> String {
    let has = match status.sandbox.tier {
        Some(tier) => confined(lang, tier),
        None => words::sandbox_none(lang),
    };
    let required = status.sandbox.required;
    if status.sandbox.tier.is_some_and(|tier| tier >= required) {
        return has.into();
    }
    format!("{has} {}", words::sandbox_required(lang, confined(lang, required)))
}

const fn confined(lang: Lang, tier: Tier) -> &'static str {
    match tier {
        Tier::Basic => words::sandbox_basic(lang),
        Tier::Full => words::sandbox_full(lang),
    }
}

fn row(lang: Lang, job: &RanHere, now: &Zoned) -> RanRow {
    let outcome = match job.outcome.as_str() {
        "completed" => words::outcome_completed(lang).into(),
        "cancelled" => words::outcome_cancelled(lang).into(),
        "yielding" => words::outcome_yielding(lang).into(),
        code => words::outcome_other(lang, reason::foreign(code)),
    };
    RanRow {
        id: job.id,
        ended: clock::local(job.ended_unix_ms, now).map_or_else(|| "–".into(), |at| clock::moment(lang, &at, now)),
        model: reason::foreign(&job.model),
        tokens: words::tokens(lang, clock::number(lang, job.completion_tokens.into())),
        ran: clock::took(lang, job.ran_ms),
        energy: clock::energy(lang, job.energy_wh.into()),
        outcome,
    }
}
