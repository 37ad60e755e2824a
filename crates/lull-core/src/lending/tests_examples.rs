//! One example for each rule, told as a person would see it.

use lull_types::{LendingView, Reading, Reason, Signal, Source};

use super::{
    state::Paused,
    tests_oracle::{START, Watched, clear, said, schedule},
    *,
};

const MINUTE_MS: u64 = 60_000;

/// A desk with a keyboard and mains, its owner away for 10 minutes; it waits for nothing but to be sure.
struct Desk {
    watched: Watched,
    sources: Vec<Source>,
    /// Since when nobody was there.
    away_since: u64,
}

fn rules() -> Rules {
    Rules { agreed: true, heed: Signal::Input.bit() | Signal::Power.bit(), ..Rules::default() }
}

impl Desk {
    fn new(rules: Rules, sources: &[Source]) -> Self {
        let away_since = START.mono.0 - 10 * MINUTE_MS;
        let mut desk = Self { watched: Watched::new(), sources: sources.to_vec(), away_since };
        desk.hand(Input::Worker(Ok(())));
        desk.hand(Input::Sources(sources.to_vec()));
        desk.hand(Input::Rules(rules));
        desk
    }

    fn waiting() -> Self {
        Self::new(rules(), &[Source::X11Idle, Source::Power])
    }

    /// It has lent for 4 minutes and is settled.
    fn lending() -> Self {
        let mut desk = Self::waiting();
        desk.peace(4 * MINUTE_MS);
        assert!(desk.watched.lends(), "{:?}", desk.view());
        desk
    }

    fn hand(&mut self, input: Input) -> Vec<Output> {
        self.watched.hand(input, &None)
    }

    fn say(&mut self, source: Source, reading: Reading) -> Vec<Output> {
        self.hand(said(source, reading))
    }

    /// Everything is said to be clear, as honest sources do.
    fn beat(&mut self) -> Vec<Output> {
        let idle = self.watched.now.mono.0 - self.away_since;
        let for_ms = |source: &Source| if source.signal() == Signal::Input { idle } else { 0 };
        self.sources.clone().into_iter().flat_map(|source| self.say(source, clear(for_ms(&source)))).collect()
    }

    /// Time passes, and every source beats.
    fn peace(&mut self, ms: u64) -> Vec<Output> {
        let mut outputs = Vec::new();
        for beat in 0..=ms / 400 {
            outputs.extend(self.beat());
            outputs.extend(self.watched.punctually(400.min(ms - beat * 400)));
        }
        outputs
    }

    fn touch(&mut self) -> Vec<Output> {
        self.away_since = self.watched.now.mono.0;
        self.say(Source::X11Idle, Reading::in_use())
    }

    fn view(&self) -> LendingView {
        self.watched.machine.view(2, 2)
    }

    fn waits_for(&self) -> Reason {
        match self.view() {
            LendingView::Waiting { reason, .. } => reason,
            other => panic!("it does not wait: {other:?}"),
        }
    }

    fn until(&self) -> Option<u64> {
        match self.view() {
            LendingView::Waiting { until, .. } | LendingView::Yielding { until, .. } => until.map(|at| at.unix_ms),
            other => panic!("it does not wait: {other:?}"),
        }
    }

    fn is_yielding(&self) -> bool {
        matches!(self.watched.machine.state(), State::Yielding(_))
    }
}

fn without_pace(outputs: &[Output]) -> Vec<Output> {
    outputs.iter().copied().filter(|output| !matches!(output, Output::Pace(_) | Output::Changed)).collect()
}

fn unknown(signal: Signal, why: &str) -> Reason {
    Reason::Unknown { signal, why: why.into() }
}

const ENDED: [Output; 3] = [Output::Freeze, Output::Offer(false), Output::Kill];

#[test]
fn a_new_machine_is_off_and_says_why() {
    let mut watched = Watched::new();
    let reason = |watched: &Watched| match watched.machine.view(0, 0) {
        LendingView::Off { reason, .. } => reason,
        other => panic!("it is not off: {other:?}"),
    };
    assert_eq!(reason(&watched), Reason::NotAgreed);
    watched.hand(Input::Rules(rules()), &None);
    assert!(matches!(reason(&watched), Reason::NoWorker { .. }));
    let forbidden = Some(Reason::Organisation);
    watched.hand(Input::Rules(Rules { forbidden, agreed: false, ..rules() }), &None);
    assert_eq!(reason(&watched), Reason::Organisation);
}

#[test]
fn it_begins_once_everything_was_watched_closely_for_a_second() {
    let mut desk = Desk::waiting();
    assert_eq!(desk.waits_for(), unknown(Signal::Input, "its sensor has not spoken yet"));
    assert_eq!(desk.beat(), [Output::Changed, Output::Pace(Pace::Alert), Output::Changed]);
    assert_eq!(desk.waits_for(), Reason::JustLeft);
    assert_eq!(without_pace(&desk.peace(STALE_ALERT_MS)), []);
    assert_eq!(without_pace(&desk.peace(1)), [Output::Offer(true)]);
    assert_eq!(desk.view().words(), "you have been away for 5 min; nothing is in the way");
    assert_eq!(desk.watched.machine.armed(), rules().heed);
}

#[test]
fn a_dedicated_machine_lends_at_once_and_needs_no_sensors() {
    let mut desk = Desk::new(Rules { agreed: true, idle_ms: 0, heed: 0, ..Rules::default() }, &[]);
    assert!(desk.watched.lends());
    assert_eq!(desk.view().words(), "this machine is dedicated to lending");
    assert_eq!(desk.watched.machine.armed(), 0);
    desk.watched.punctually(60 * MINUTE_MS);
    assert!(desk.watched.lends());
}

#[test]
fn the_idle_minutes_are_waited_for_and_forecast() {
    let mut desk = Desk::waiting();
    desk.away_since = START.mono.0;
    desk.beat();
    assert_eq!(desk.waits_for(), Reason::JustLeft);
    assert_eq!(desk.until(), Some(START.unix_ms + IDLE_MS));
    assert_eq!(desk.watched.machine.pace(), Pace::Calm);
    desk.peace(IDLE_MS - ALERT_BEFORE_MS - 1);
    assert_eq!(desk.watched.machine.pace(), Pace::Calm);
    desk.peace(1);
    assert_eq!(desk.watched.machine.pace(), Pace::Alert);
    desk.peace(ALERT_BEFORE_MS - 1);
    desk.beat();
    assert!(!desk.watched.lends());
    desk.watched.punctually(1);
    assert!(!desk.watched.lends(), "a word was stretched into the future");
    desk.beat();
    assert!(desk.watched.lends());
}

#[test]
fn the_least_idle_source_counts() {
    let mut desk = Desk::new(rules(), &[Source::X11Idle, Source::MutterIdle, Source::Power]);
    for _ in 0..5 {
        desk.beat();
        desk.say(Source::MutterIdle, clear(IDLE_MS - 60_000));
        desk.watched.punctually(400);
    }
    assert_eq!(desk.waits_for(), Reason::JustLeft);
}

#[test]
fn use_freezes_first_and_then_withdraws() {
    let mut desk = Desk::lending();
    assert_eq!(desk.touch(), [Output::Freeze, Output::Offer(false), Output::Changed]);
    assert!(desk.is_yielding());
    assert_eq!(desk.watched.machine.armed(), 0);
    assert_eq!(desk.until(), Some(desk.watched.now.unix_ms + GRACE_MS));
    assert_eq!(desk.view().words(), "you are using this machine");
}

#[test]
fn a_bump_thaws_and_does_not_restart_the_idle_minutes() {
    let mut desk = Desk::lending();
    desk.touch();
    desk.watched.punctually(400);
    assert_eq!(without_pace(&desk.peace(GRACE_MS - 401)), []);
    assert_eq!(without_pace(&desk.peace(1)), [Output::Thaw, Output::Offer(true)]);
    desk.peace(MINUTE_MS);
    assert!(desk.watched.lends());
}

#[test]
fn a_second_bump_soon_after_is_killed() {
    let mut desk = Desk::lending();
    desk.touch();
    desk.watched.punctually(400);
    desk.peace(MINUTE_MS);
    assert!(desk.watched.lends());
    desk.touch();
    desk.watched.punctually(400);
    assert_eq!(without_pace(&desk.peace(GRACE_MS - 400)), [Output::Kill]);
}

#[test]
fn input_that_goes_on_is_killed_at_two_seconds() {
    let mut desk = Desk::lending();
    desk.touch();
    for _ in 0..5 {
        desk.watched.punctually(400);
        assert_eq!(desk.touch(), []);
    }
    assert_eq!(without_pace(&desk.watched.punctually(1)), [Output::Kill]);
    assert!(matches!(desk.waits_for(), Reason::InUse { signal: Signal::Input, .. }));
}

#[test]
fn input_again_after_two_seconds_is_killed_even_if_only_the_counter_tells() {
    let mut desk = Desk::lending();
    desk.touch();
    desk.watched.punctually(400);
    desk.peace(2_200);
    desk.away_since = desk.watched.now.mono.0 - 100;
    assert_eq!(without_pace(&desk.beat()), [Output::Kill]);
}

#[test]
fn a_missed_touch_is_seen_from_the_counter_while_lending() {
    let mut desk = Desk::lending();
    desk.away_since = desk.watched.now.mono.0 - 50;
    assert_eq!(without_pace(&desk.beat()), [Output::Freeze, Output::Offer(false)]);
}

#[test]
fn a_machine_signal_yields_comes_back_within_the_grace_and_does_not_restart_idle() {
    let mut desk = Desk::lending();
    let battery = Reading::in_use();
    assert_eq!(without_pace(&desk.say(Source::Power, battery)), [Output::Freeze, Output::Offer(false)]);
    desk.watched.punctually(400);
    assert_eq!(without_pace(&desk.peace(GRACE_MS - 400)), [Output::Thaw, Output::Offer(true)]);
}

#[test]
fn what_stays_in_the_way_is_killed_at_the_end_of_the_grace() {
    let mut desk = Desk::lending();
    desk.say(Source::Power, Reading::in_use());
    let mut outputs = Vec::new();
    for _ in 0..13 {
        outputs.extend(desk.watched.punctually(400));
        let idle = desk.watched.now.mono.0 - desk.away_since;
        desk.say(Source::X11Idle, clear(idle));
        desk.say(Source::Power, Reading::in_use());
    }
    assert_eq!(without_pace(&outputs), [Output::Kill]);
    assert_eq!(desk.waits_for(), Reason::InUse { signal: Signal::Power, what: String::new() });
    assert_eq!(desk.until(), None);
}

#[test]
fn a_call_that_ends_restarts_the_idle_minutes() {
    let heed = rules().heed | Signal::Call.bit();
    let mut desk = Desk::new(Rules { heed, ..rules() }, &[Source::X11Idle, Source::Power, Source::Microphone]);
    desk.peace(4 * MINUTE_MS);
    assert!(desk.watched.lends());
    desk.say(Source::Microphone, Reading::InUse { what: "Firefox".into() });
    assert_eq!(desk.view().words(), "a microphone or camera is in use (Firefox)");
    desk.watched.punctually(400);
    let ended = desk.watched.now.unix_ms;
    desk.say(Source::Microphone, clear(0));
    let idle = |desk: &Desk| clear(desk.watched.now.mono.0 - desk.away_since);
    while desk.is_yielding() {
        let reading = idle(&desk);
        desk.say(Source::X11Idle, reading);
        desk.say(Source::Power, clear(0));
        desk.say(Source::Microphone, clear(0));
        desk.watched.punctually(400);
    }
    assert_eq!(desk.waits_for(), Reason::JustLeft);
    assert_eq!(desk.until(), Some(ended + IDLE_MS));
}

#[test]
fn short_memory_kills_at_once() {
    let heed = rules().heed | Signal::Memory.bit();
    let mut desk = Desk::new(Rules { heed, ..rules() }, &[Source::X11Idle, Source::Power, Source::Memory]);
    desk.peace(2_000);
    assert!(desk.watched.lends());
    assert_eq!(without_pace(&desk.say(Source::Memory, Reading::in_use())), ENDED);
    assert!(matches!(desk.waits_for(), Reason::InUse { signal: Signal::Memory, .. }));
}

#[test]
fn silence_is_unknown_after_a_second_while_lending() {
    let mut desk = Desk::lending();
    let spoke = desk.watched.now.mono;
    desk.beat();
    assert_eq!(desk.watched.machine.deadline(), Some(spoke.plus(STALE_ALERT_MS + 1)));
    assert_eq!(without_pace(&desk.watched.punctually(STALE_ALERT_MS)), []);
    assert_eq!(without_pace(&desk.watched.punctually(1)), [Output::Freeze, Output::Offer(false)]);
    assert_eq!(desk.view().words(), "it is not known about keyboard and pointer: its sensor has fallen silent");
}

#[test]
fn silence_is_unknown_after_twelve_seconds_while_waiting_and_stays_so() {
    let mut desk = Desk::waiting();
    desk.away_since = START.mono.0;
    desk.beat();
    desk.watched.punctually(STALE_CALM_MS);
    assert_eq!(desk.waits_for(), Reason::JustLeft);
    desk.watched.punctually(1);
    assert_eq!(desk.waits_for(), unknown(Signal::Input, "its sensor has fallen silent"));
}

#[test]
fn a_source_that_hung_while_watched_closely_is_not_believed_again_because_the_pace_is_calm() {
    let mut desk = Desk::waiting();
    desk.beat();
    for _ in 0..4 {
        desk.watched.punctually(400);
        let idle = desk.watched.now.mono.0 - desk.away_since;
        desk.say(Source::X11Idle, clear(idle));
    }
    assert_eq!(desk.watched.machine.pace(), Pace::Calm);
    assert_eq!(desk.waits_for(), unknown(Signal::Power, "its sensor has fallen silent"));
}

#[test]
fn a_source_that_contradicts_its_own_use_is_unknown_until_it_is_consistent() {
    let mut desk = Desk::waiting();
    desk.touch();
    desk.watched.punctually(2_000);
    desk.say(Source::Power, clear(0));
    desk.say(Source::X11Idle, clear(2_000 + CONTRADICTION_MS));
    assert_eq!(desk.waits_for(), Reason::JustLeft);
    desk.say(Source::X11Idle, clear(2_001 + CONTRADICTION_MS));
    assert_eq!(desk.waits_for(), unknown(Signal::Input, "its sensor contradicts itself"));
    desk.touch();
    desk.watched.punctually(1_000);
    desk.beat();
    assert_eq!(desk.waits_for(), Reason::JustLeft);
}

#[test]
fn a_source_that_was_blind_may_know_of_long_idleness() {
    let mut desk = Desk::waiting();
    desk.beat();
    desk.say(Source::X11Idle, Reading::unknown("the display is gone"));
    assert_eq!(desk.waits_for(), unknown(Signal::Input, "the display is gone"));
    desk.peace(2_000);
    assert!(desk.watched.lends());
}

#[test]
fn a_contradiction_while_lending_freezes() {
    let mut desk = Desk::waiting();
    desk.away_since = START.mono.0;
    desk.touch();
    desk.watched.punctually(400);
    desk.peace(IDLE_MS);
    assert!(desk.watched.lends());
    desk.away_since -= 10_000;
    assert_eq!(without_pace(&desk.beat()), [Output::Freeze, Output::Offer(false)]);
}

#[test]
fn no_source_is_unknown_and_all_absent_is_clear_except_for_input() {
    let mut desk = Desk::new(rules(), &[Source::X11Idle]);
    desk.beat();
    assert_eq!(desk.waits_for(), unknown(Signal::Power, "nothing here can tell"));

    let mut desk = Desk::new(rules(), &[Source::X11Idle, Source::Power]);
    for _ in 0..4 {
        desk.beat();
        desk.say(Source::Power, Reading::Absent);
        desk.watched.punctually(400);
    }
    assert!(desk.watched.lends());

    let mut desk = Desk::new(rules(), &[Source::X11Idle, Source::MutterIdle, Source::Power]);
    desk.beat();
    desk.say(Source::X11Idle, Reading::Absent);
    assert_eq!(desk.waits_for(), Reason::JustLeft);
    desk.say(Source::MutterIdle, Reading::Absent);
    assert!(desk.view().words().contains("lull node run --dedicated"), "{:?}", desk.view());
}

#[test]
fn a_source_that_was_not_announced_is_heeded_but_not_relied_on() {
    let mut desk = Desk::lending();
    assert_eq!(without_pace(&desk.say(Source::MutterIdle, Reading::in_use())), [Output::Freeze, Output::Offer(false)]);

    let mut desk = Desk::new(rules(), &[Source::X11Idle]);
    desk.beat();
    desk.say(Source::Power, clear(0));
    assert_eq!(desk.waits_for(), unknown(Signal::Power, "nothing here can tell"));
    desk.say(Source::MutterIdle, Reading::unknown("it does not answer"));
    assert_eq!(desk.waits_for(), unknown(Signal::Input, "it does not answer"));
    desk.watched.punctually(6_000);
    desk.beat();
    desk.watched.punctually(6_001);
    assert_eq!(desk.waits_for(), unknown(Signal::Power, "nothing here can tell"));
}

#[test]
fn new_sources_must_speak_first() {
    let mut desk = Desk::lending();
    let sources = desk.sources.clone();
    assert_eq!(without_pace(&desk.hand(Input::Sources(sources))), [Output::Freeze, Output::Offer(false)]);
    assert_eq!(desk.view().words(), "it is not known about keyboard and pointer: its sensor has not spoken yet");
}

#[test]
fn a_bump_does_not_hide_what_another_source_saw_before_it() {
    let mut desk = Desk::lending();
    desk.touch();
    desk.watched.punctually(400);
    desk.peace(MINUTE_MS);
    assert!(desk.watched.lends());
    let idle = clear(2 * MINUTE_MS);
    assert_eq!(without_pace(&desk.say(Source::MutterIdle, idle)), [Output::Freeze, Output::Offer(false)]);
}

#[test]
fn persons_come_before_machines_and_unknown_before_in_use() {
    let heed = HEED_ALL;
    let sources = [Source::X11Idle, Source::Sessions, Source::Power, Source::Heat];
    let heed = sources.iter().fold(0, |mask, source| mask | source.signal().bit()) & heed;
    let mut desk = Desk::new(Rules { heed, hours: Schedule::weekly(vec![]), ..rules() }, &sources);
    desk.beat();
    assert_eq!(desk.waits_for(), Reason::OutsideHours);
    desk.say(Source::Power, Reading::in_use());
    assert_eq!(desk.waits_for(), Reason::InUse { signal: Signal::Power, what: String::new() });
    desk.say(Source::Heat, Reading::unknown("hidden"));
    assert_eq!(desk.waits_for(), unknown(Signal::Heat, "hidden"));
    desk.say(Source::X11Idle, Reading::in_use());
    assert_eq!(desk.waits_for(), Reason::InUse { signal: Signal::Input, what: String::new() });
    desk.say(Source::Sessions, Reading::unknown("logind is gone"));
    assert_eq!(desk.waits_for(), unknown(Signal::Session, "logind is gone"));
}

#[test]
fn it_settles_for_three_minutes_after_a_beginning() {
    let mut desk = Desk::waiting();
    desk.peace(1_001);
    assert!(desk.watched.lends());
    let begun = desk.watched.now.unix_ms;
    desk.say(Source::Power, Reading::in_use());
    desk.watched.punctually(400);
    assert_eq!(without_pace(&desk.peace(GRACE_MS)), [Output::Kill]);
    assert_eq!(desk.waits_for(), Reason::Settling);
    assert_eq!(desk.until(), Some(begun + SETTLE_MS));
    let left = begun + SETTLE_MS - desk.watched.now.unix_ms;
    desk.peace(left - 1);
    assert!(!desk.watched.lends());
    desk.peace(1);
    assert!(desk.watched.lends());
}

#[test]
fn hours_end_and_begin() {
    // From a minute ago until in ten, on this day only.
    let hours = Some(vec![(Window::DAILY, 7 * 60 + 59, 8 * 60 + 10)]);
    let mut desk = Desk::new(rules(), &[Source::X11Idle, Source::Power]);
    let with_hours = Rules { hours: schedule(&hours), ..rules() };
    desk.watched.hand(Input::Rules(with_hours), &hours);
    desk.peace(10 * MINUTE_MS - 1);
    assert!(desk.watched.lends());
    assert_eq!(without_pace(&desk.peace(1)), [Output::Freeze, Output::Offer(false)]);
    desk.peace(GRACE_MS);
    assert_eq!(desk.waits_for(), Reason::OutsideHours);
    assert_eq!(desk.until(), Some(START.unix_ms + (24 * 60 - 1) * MINUTE_MS));
}

#[test]
fn a_pause_ends_everything_at_once_and_ends_by_itself() {
    let mut desk = Desk::lending();
    let end = desk.watched.now.unix_ms + 10 * MINUTE_MS;
    let pause = Input::Pause { until_unix_ms: Some(end), finish: false };
    assert_eq!(without_pace(&desk.hand(pause)), ENDED);
    assert_eq!(desk.watched.machine.paused(), Some(Paused { until_unix_ms: Some(end) }));
    assert_eq!(without_pace(&desk.peace(10 * MINUTE_MS - 1)), []);
    assert!(matches!(desk.view(), LendingView::Paused { until: Some(until), .. } if until.unix_ms == end));
    desk.peace(1);
    assert_eq!(desk.watched.machine.paused(), None);
    desk.peace(2_000);
    assert!(desk.watched.lends());
}

#[test]
fn a_pause_until_resumed_lasts_and_is_remembered_beneath_off() {
    let mut desk = Desk::lending();
    desk.touch();
    let pause = Input::Pause { until_unix_ms: None, finish: false };
    assert_eq!(without_pace(&desk.hand(pause)), ENDED);
    desk.hand(Input::Rules(Rules { forbidden: Some(Reason::Organisation), ..rules() }));
    assert!(matches!(desk.view(), LendingView::Off { .. }));
    assert_eq!(desk.watched.machine.paused(), Some(Paused { until_unix_ms: None }));
    desk.hand(Input::Rules(rules()));
    assert!(matches!(desk.view(), LendingView::Paused { until: None, .. }));
    desk.hand(Input::Resume);
    assert!(matches!(desk.view(), LendingView::Waiting { .. }));
}

#[test]
fn a_pause_that_is_over_is_none() {
    let mut desk = Desk::lending();
    let pause = Input::Pause { until_unix_ms: Some(desk.watched.now.unix_ms), finish: false };
    assert_eq!(desk.hand(pause), []);
}

#[test]
fn finishing_takes_no_more_and_pauses_after_the_last_job() {
    let mut desk = Desk::lending();
    desk.hand(Input::Jobs(2));
    let finish = || Input::Pause { until_unix_ms: None, finish: true };
    assert_eq!(without_pace(&desk.hand(finish())), [Output::Offer(false)]);
    assert!(matches!(desk.view(), LendingView::Lending { finishing: true, .. }));
    assert_eq!(desk.view().words(), "pausing after the job that runs now");
    assert_eq!(without_pace(&desk.hand(Input::Resume)), [Output::Offer(true)]);
    desk.hand(finish());
    assert_eq!(without_pace(&desk.hand(Input::Jobs(1))), []);
    assert_eq!(without_pace(&desk.hand(Input::Jobs(0))), ENDED);
    assert!(matches!(desk.view(), LendingView::Paused { .. }));
}

#[test]
fn finishing_still_yields_and_a_bump_goes_on_finishing() {
    let mut desk = Desk::lending();
    desk.hand(Input::Jobs(1));
    desk.hand(Input::Pause { until_unix_ms: None, finish: true });
    assert_eq!(desk.touch()[0], Output::Freeze);
    desk.watched.punctually(400);
    assert_eq!(without_pace(&desk.peace(GRACE_MS - 400)), [Output::Thaw]);
    assert!(matches!(desk.view(), LendingView::Lending { finishing: true, .. }));
    desk.touch();
    desk.watched.punctually(400);
    assert_eq!(without_pace(&desk.peace(GRACE_MS)), [Output::Kill]);
    assert!(matches!(desk.view(), LendingView::Paused { .. }));
}

#[test]
fn what_turns_it_off_ends_lending_at_once() {
    for input in [
        Input::Worker(Err("its binary is gone".into())),
        Input::Rules(Rules { agreed: false, ..rules() }),
        Input::Rules(Rules { forbidden: Some(Reason::RulesBroken { why: "no signature".into() }), ..rules() }),
    ] {
        let mut desk = Desk::lending();
        assert_eq!(without_pace(&desk.hand(input.clone())), ENDED, "{input:?}");
        assert!(matches!(desk.view(), LendingView::Off { .. }));
        let mut desk = Desk::lending();
        desk.touch();
        assert_eq!(without_pace(&desk.hand(input.clone())), ENDED, "{input:?} while yielding");
    }
}

#[test]
fn the_wall_clock_moves_what_is_shown_and_nothing_else() {
    let mut desk = Desk::waiting();
    desk.beat();
    desk.hand(Input::Pause { until_unix_ms: Some(START.unix_ms + 10 * MINUTE_MS), finish: false });
    desk.watched.now.unix_ms += 60 * MINUTE_MS;
    assert_eq!(desk.hand(Input::Tick), [Output::Changed]);
    let shown = START.unix_ms + 70 * MINUTE_MS;
    assert_eq!(desk.watched.machine.paused(), Some(Paused { until_unix_ms: Some(shown) }));
    desk.peace(10 * MINUTE_MS - 1);
    assert!(desk.watched.machine.paused().is_some());
    desk.peace(1);
    assert!(desk.watched.machine.paused().is_none());
}

#[test]
fn a_late_word_of_use_beats_the_thaw_that_was_due() {
    let mut desk = Desk::lending();
    desk.touch();
    desk.watched.punctually(400);
    desk.peace(GRACE_MS - 1_000);
    desk.watched.late(700);
    assert_eq!(without_pace(&desk.touch()), [Output::Kill]);
}

#[test]
fn schedules_cross_midnight_and_weeks() {
    // START is a Wednesday, 8 o'clock.
    let at = |day: i64, hour: u64, offset_h: i32| Now {
        unix_ms: START.unix_ms.strict_add_signed((day - 2) * 86_400_000) - 8 * 3_600_000 + hour * 3_600_000,
        utc_offset_s: offset_h * 3_600,
        ..START
    };
    let sunday_night = schedule(&Some(vec![(0b100_0000, 22 * 60, 6 * 60)]));
    assert!(!sunday_night.is_open(at(6, 21, 0)) && sunday_night.is_open(at(6, 22, 0)));
    assert!(sunday_night.is_open(at(7, 5, 0)) && !sunday_night.is_open(at(7, 6, 0)));
    assert!(!sunday_night.is_open(at(6, 5, 0)), "Saturday's night is not Sunday's");
    assert!(sunday_night.is_open(at(6, 20, 2)) && !sunday_night.is_open(at(6, 23, -2)));
    assert_eq!(sunday_night.changes_in(at(6, 23, 0)), Some(7 * 3_600_000));
    assert_eq!(sunday_night.changes_in(at(2, 22, 0)), Some(4 * 86_400_000));
    let whole = schedule(&Some(vec![(Window::DAILY, 600, 600)]));
    assert!(whole.is_open(at(2, 3, 0)) && whole.changes_in(at(2, 3, 0)).is_none());
    let never = schedule(&Some(vec![]));
    assert!(!never.is_open(START) && never.changes_in(START).is_none());
    assert!(Window::new(0, 0, 1).is_none() && Window::new(128, 0, 1).is_none());
    assert!(Window::new(1, 1_440, 1).is_none() && Window::new(1, 0, 1_441).is_none());
    let touching = schedule(&Some(vec![(Window::DAILY, 480, 600), (Window::DAILY, 600, 660)]));
    assert_eq!(touching.changes_in(at(2, 8, 0)), Some(3 * 3_600_000));
}

#[test]
fn a_forecast_that_hardly_moves_is_not_news() {
    let mut desk = Desk::waiting();
    desk.away_since = START.mono.0;
    desk.beat();
    desk.watched.punctually(5_000);
    desk.away_since += 40;
    assert_eq!(desk.beat(), []);
    desk.away_since += 5_000 - 40;
    assert_eq!(desk.beat(), [Output::Changed]);
}
