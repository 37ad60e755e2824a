use jiff::Zoned;
use lull_types::{LendingView, LinkView, Reason, StatusView, Until};
use serde::Serialize;

use crate::{Icon, Lang, Node, State, clock, reason, state, words};

/// What is happening, why, and until when: the tray's first row and the top of the window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Headline {
    /// The state as a picture.
    pub icon: Icon,
    /// The state in a word or two.
    pub title: String,
    /// Why.
    pub reason: String,
    /// Until when, or when at the earliest, where that is known.
    pub until: Option<String>,
    /// All of it on one line.
    pub line: String,
}

impl Headline {
    /// What the state looks like now.
    #[must_use]
    pub fn of(state: &State, now: &Zoned) -> Self {
        let lang = state.lang;
        match &state.node {
            Node::Unheard => plain(lang, Icon::Off, words::title_starting(lang), words::starting(lang)),
            Node::Silent => plain(lang, Icon::Attention, words::title_silent(lang), words::silent(lang)),
            Node::NotJoined => plain(lang, Icon::Off, words::title_not_joined(lang), words::not_joined(lang)),
            Node::Answering(status) => of_status(lang, status, now),
        }
    }
}

fn of_status(lang: Lang, status: &StatusView, now: &Zoned) -> Headline {
    match &status.lending {
        LendingView::Off { reason, .. } => {
            let icon = if is_trouble(reason) { Icon::Attention } else { Icon::Off };
            plain(lang, icon, words::title_off(lang), &reason::sentence(reason, lang))
        }
        LendingView::Waiting { reason, until, .. } => {
            let icon = if is_trouble(reason) { Icon::Attention } else { Icon::Waiting };
            let until = until.map(|until| earliest(lang, until, now));
            built(lang, icon, words::title_waiting(lang), &reason::sentence(reason, lang), until)
        }
        LendingView::Lending { slots, finishing, .. } => lending(lang, status, *slots, *finishing),
        LendingView::Yielding { reason, until, .. } => {
            let until = until.map(|until| freed(lang, until, now));
            let why = reason::sentence(reason, lang);
            built(lang, Icon::Yielding, words::title_yielding(lang), &why, until)
        }
        LendingView::Paused { until, .. } => {
            let until = until.map_or_else(|| words::until_you_resume(lang).into(), |until| ends(lang, until, now));
            built(lang, Icon::Paused, words::title_paused(lang), words::paused(lang), Some(until))
        }
    }
}

/// A machine that nobody can reach, or that has nothing to lend with, does not lend, whatever it would like.
fn lending(lang: Lang, status: &StatusView, slots: u16, finishing: bool) -> Headline {
    if finishing {
        return plain(lang, Icon::Lending, words::title_finishing(lang), words::finishing(lang));
    }
    if matches!(status.relay, LinkView::Down { .. }) {
        return plain(lang, Icon::Waiting, words::title_waiting(lang), words::no_connection(lang));
    }
    if slots == 0 {
        return plain(lang, Icon::Waiting, words::title_waiting(lang), words::no_model(lang));
    }
    let doing = match state::busy(status) {
        0 => words::lending_idle(lang).into(),
        1 => words::lending_one(lang).into(),
        jobs => words::lending_many(lang, jobs),
    };
    plain(lang, Icon::Lending, words::title_lending(lang), &doing)
}

/// Whether a person or their IT has to do something before this machine can lend.
pub(crate) const fn is_trouble(reason: &Reason) -> bool {
    match reason {
        Reason::RulesBroken { .. } | Reason::NoWorker { .. } => true,
        Reason::NotAgreed
        | Reason::Organisation
        | Reason::Paused
        | Reason::Finishing
        | Reason::InUse { .. }
        | Reason::Unknown { .. }
        | Reason::JustLeft
        | Reason::OutsideHours
        | Reason::Settling => false,
    }
}

/// What the countdown of a state runs to, if it has one.
pub(crate) const fn countdown(lending: &LendingView) -> Option<Until> {
    match lending {
        LendingView::Waiting { until, .. }
        | LendingView::Yielding { until, .. }
        | LendingView::Paused { until, .. } => *until,
        LendingView::Off { .. } | LendingView::Lending { .. } => None,
    }
}

fn ends(lang: Lang, until: Until, now: &Zoned) -> String {
    counted(lang, until, now, |moment, left| words::until_paused(lang, moment, left))
}

fn earliest(lang: Lang, until: Until, now: &Zoned) -> String {
    counted(lang, until, now, |moment, left| words::until_waiting(lang, moment, left))
}

fn freed(lang: Lang, until: Until, now: &Zoned) -> String {
    counted(lang, until, now, |_, left| words::until_yielding(lang, left))
}

fn counted(lang: Lang, until: Until, now: &Zoned, say: impl FnOnce(String, String) -> String) -> String {
    let left_ms = until.unix_ms.saturating_sub(clock::unix_ms(now));
    match clock::local(until.unix_ms, now) {
        Some(at) if left_ms > 0 => say(clock::moment(lang, &at, now), clock::left(lang, left_ms)),
        // No clock shows it: nobody lives to see it.
        None => words::until_you_resume(lang).into(),
        Some(_) => words::until_any_moment(lang).into(),
    }
}

fn plain(lang: Lang, icon: Icon, title: &str, reason: &str) -> Headline {
    built(lang, icon, title, reason, None)
}

fn built(lang: Lang, icon: Icon, title: &str, reason: &str, until: Option<String>) -> Headline {
    let line = match &until {
        Some(until) => words::line_until(lang, title, reason, until),
        None => words::line(lang, title, reason),
    };
    Headline { icon, title: title.into(), reason: reason.into(), until, line }
}
