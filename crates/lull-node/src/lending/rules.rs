//! What the effective rules mean for the lending machine. Pure.

use std::time::Duration;

use lull_core::lending::{HEED_ALL, Rules, Schedule, Window};
use lull_policy::{Effective, Hours, Source};
use lull_types::{Fault, Reason, Signal};

/// Times other than people want them: for tests and measurements. What the organisation set stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timing {
    /// How long an owner is away before their machine lends.
    pub idle: Option<Duration>,
    /// How long a yield may stay undecided.
    pub grace: Option<Duration>,
    /// For how long input may go on and still be a bump.
    pub bump: Option<Duration>,
    /// At least so long between two beginnings of lending.
    pub settle: Option<Duration>,
}

/// A machine that nobody sits at lends at any hour and looks at nobody, unless its person or organisation says no.
/// `broken`: what cannot be followed, in either's file.
pub(crate) fn rules(effective: &Effective, broken: Option<&Fault>, dedicated: bool, timing: Timing) -> Rules {
    let enabled = &effective.enabled;
    let theirs = |source| matches!(source, Source::Policy | Source::Machine);
    let organisation = (theirs(enabled.source) && !enabled.value).then_some(Reason::Organisation);
    let forbidden = broken.map(|fault| Reason::RulesBroken { why: fault.message.clone() }).or(organisation);
    let usual = Rules::default();
    let ms = |asked: Option<Duration>, usual_ms: u64| asked.map_or(usual_ms, |asked| asked.as_millis() as u64);
    let idle_ms = u64::from(effective.idle_minutes.value) * 60_000;
    let idle_may_differ = !theirs(effective.idle_minutes.source);
    Rules {
        forbidden,
        agreed: enabled.value || dedicated && enabled.source == Source::Default,
        idle_ms: match dedicated {
            true => 0,
            false => ms(timing.idle.filter(|_| idle_may_differ), idle_ms),
        },
        hours: schedule(&effective.hours.value),
        heed: if dedicated { 0 } else { heed(effective) },
        grace_ms: ms(timing.grace, usual.grace_ms),
        bump_ms: ms(timing.bump, usual.bump_ms),
        settle_ms: if dedicated { 0 } else { ms(timing.settle, usual.settle_ms) },
    }
}

fn heed(rules: &Effective) -> u32 {
    let heeded = |signal: Signal| match signal {
        Signal::Input | Signal::Session | Signal::Sleep | Signal::Clock | Signal::Memory | Signal::Gpu => true,
        Signal::Remote => rules.remote.value,
        Signal::Film => rules.films.value,
        Signal::Call => rules.calls.value,
        Signal::FullScreen => rules.full_screen.value,
        Signal::Power => !rules.on_battery.value,
        Signal::Heat => rules.max_celsius.value > 0,
        Signal::Network => !rules.metered.value,
        Signal::Load => rules.other_cores.value > 0.0,
        Signal::App => !rules.apps.value.is_empty(),
    };
    Signal::ALL.into_iter().filter(|signal| !heeded(*signal)).fold(HEED_ALL, |mask, signal| mask & !signal.bit())
}

fn schedule(hours: &Hours) -> Schedule {
    if *hours == Hours::always() {
        return Schedule::always();
    }
    let window = |window: &lull_policy::Window| Window::new(window.days, window.from_minute, window.to_minute);
    Schedule::weekly(hours.windows().iter().filter_map(window).collect())
}
