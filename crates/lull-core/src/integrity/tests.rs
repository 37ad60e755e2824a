use std::collections::BTreeMap;

use lull_types::{ModelHash, NodeId};

use super::*;

const M: ModelHash = ModelHash([7; 32]);
const A: NodeId = NodeId([0xa0; 16]);
const B: NodeId = NodeId([0xb0; 16]);

fn lender(number: u8) -> NodeId {
    NodeId([number; 16])
}

/// A judge with canaries off, so that tests say who is checked.
struct Bench {
    judge: Integrity,
    now: Millis,
}

impl Bench {
    fn new(checkers: &[NodeId], lenders: u8) -> Self {
        let mut bench = Self { judge: Integrity::new(1), now: Millis(1_000_000) };
        assert_eq!(bench.policy(Policy { canaries: false, ..Policy::default() }), []);
        checkers.iter().for_each(|node| bench.up(*node, Role::Checker));
        (1..=lenders).for_each(|number| bench.up(lender(number), Role::Lender));
        bench
    }

    fn step(&mut self, input: Input) -> Vec<Output> {
        self.judge.handle(self.now, input)
    }

    fn policy(&mut self, policy: Policy) -> Vec<Output> {
        self.step(Input::Policy(policy))
    }

    fn up(&mut self, node: NodeId, role: Role) {
        let _ = self.step(Input::NodeUp { node, role, kind: MachineKind(1), models: vec![M] });
    }

    fn spot(&mut self, checker: NodeId, lender: NodeId, different: u32) -> Vec<Output> {
        self.step(Input::Checked(Checked { check: None, lender, checker, model: M, positions: 100, different }))
    }

    /// Spot checks until something comes of it, or `most`.
    fn until(&mut self, checker: NodeId, lender: NodeId, different: u32, most: usize) -> Vec<Output> {
        (0..most).map(|_| self.spot(checker, lender, different)).find(|out| !out.is_empty()).unwrap_or_default()
    }
}

fn quarantine(out: &[Output]) -> Option<(NodeId, bool)> {
    match out {
        [Output::Quarantine { lender, evidence }] => Some((*lender, evidence.confirmed)),
        _ => None,
    }
}

#[test]
fn one_gross_check_convicts_if_there_is_only_one_checker() {
    let mut bench = Bench::new(&[A], 9);
    assert_eq!(quarantine(&bench.spot(A, lender(1), 50)), Some((lender(1), false)));
    assert!(bench.judge.is_quarantined(lender(1)));
    assert_eq!(bench.spot(A, lender(2), 1), []);
}

#[test]
fn a_second_checker_must_agree_if_there_is_one() {
    let mut bench = Bench::new(&[A, B], 9);
    assert_eq!(bench.until(A, lender(1), 50, 20), []);
    assert_eq!(bench.spot(B, lender(2), 6), []);
    assert_eq!(bench.until(A, lender(2), 50, 20), [], "what B has seen is a hint and no more");
    let hint = bench.judge.saved_lender(lender(2)).unwrap().trails[1].1.score();
    assert!((5.0..CONFIRM).contains(&hint), "{hint}");
    assert_eq!(quarantine(&bench.spot(B, lender(1), 50)), Some((lender(1), true)));
    let evidence = bench.judge.standing(lender(1)).unwrap().quarantined.unwrap();
    let checks: Vec<_> = evidence.by.iter().map(|by| (by.checker, by.checks, by.positions, by.different)).collect();
    assert_eq!(checks, [(A, 20, 2_000, 1_000), (B, 1, 100, 50)]);
    assert!(evidence.by.iter().all(|by| by.score >= CONFIRM));
}

#[test]
fn a_second_checker_that_finds_nothing_protects_for_good() {
    let mut bench = Bench::new(&[A, B], 9);
    for _ in 0..100 {
        bench.now = bench.now.plus(DAY_MS);
        assert_eq!(bench.spot(A, lender(1), 50), []);
        assert_eq!(bench.spot(B, lender(1), 0), []);
    }
}

#[test]
fn a_second_checker_that_is_silent_or_gone_is_none() {
    let mut bench = Bench::new(&[A, B], 9);
    assert_eq!(bench.spot(A, lender(1), 50), []);
    bench.now = bench.now.plus(SECOND_WAIT_MS - 1);
    assert_eq!(bench.spot(A, lender(1), 50), []);
    bench.now = bench.now.plus(1);
    assert_eq!(quarantine(&bench.spot(A, lender(1), 50)), Some((lender(1), false)));

    assert_eq!(bench.spot(A, lender(2), 50), []);
    assert_eq!(bench.step(Input::NodeDown { node: B }), []);
    assert_eq!(bench.spot(A, lender(2), 50), [], "it may come back");
    bench.now = bench.now.plus(CHECKER_GONE_MS);
    assert_eq!(quarantine(&bench.spot(A, lender(2), 50)), Some((lender(2), false)));
}

#[test]
fn one_token_in_fifty_is_found_beside_an_honest_fleet() {
    let mut bench = Bench::new(&[A, B], 9);
    for _ in 0..60 {
        for number in 2..=9 {
            assert_eq!(bench.spot(A, lender(number), 0), []);
            assert_eq!(
                bench.spot(B, lender(number), u32::from(number == 3)),
                [],
                "1 in 100 with one checker is not it"
            );
        }
    }
    assert_eq!(bench.until(A, lender(1), 2, 60), []);
    assert_eq!(quarantine(&bench.until(B, lender(1), 2, 60)), Some((lender(1), true)));
}

#[test]
fn a_quarantine_ends_only_when_released_and_then_all_starts_anew() {
    let mut bench = Bench::new(&[A], 9);
    assert!(quarantine(&bench.spot(A, lender(1), 50)).is_some());
    assert_eq!(bench.step(Input::NodeDown { node: lender(1) }), []);
    bench.up(lender(1), Role::Lender);
    bench.up(lender(1), Role::Checker);
    bench.now = bench.now.plus(400 * DAY_MS);
    assert!(bench.judge.is_quarantined(lender(1)));
    bench.judge = Integrity::restore(1, bench.judge.saved());
    bench.up(A, Role::Checker);
    assert!(bench.judge.is_quarantined(lender(1)));
    assert_eq!(bench.spot(A, lender(1), 50), [], "it is quarantined already");
    assert_eq!(bench.step(Input::Released { node: lender(1) }), []);
    assert!(!bench.judge.is_quarantined(lender(1)));
    assert_eq!(bench.judge.standing(lender(1)).unwrap().checks, 0);
    assert!(quarantine(&bench.spot(A, lender(1), 50)).is_some(), "and again");
}

#[test]
fn a_quarantined_lender_has_no_vote_on_what_is_honest() {
    let mut bench = Bench::new(&[A], 9);
    assert_eq!(bench.spot(A, lender(1), 2), []);
    assert!(bench.judge.saved().cells.iter().any(|cell| cell.lender == lender(1)));
    assert!(quarantine(&bench.until(A, lender(1), 20, 9)).is_some());
    assert_eq!(bench.judge.saved().cells, []);
}

#[test]
fn a_checker_that_is_sent_to_suspicious_lenders_is_not_suspected_for_finding_them_guilty() {
    let mut bench = Bench::new(&[A, B], 72);
    for number in 13..=72 {
        assert_eq!(bench.spot(A, lender(number), 0), []);
    }
    for number in 1..=12 {
        while !bench.judge.standing(lender(number)).unwrap().suspicious {
            assert_eq!(bench.spot(B, lender(number), 5), []);
        }
        assert_eq!(bench.spot(A, lender(number), 50), [], "{number}");
    }
}

#[test]
fn a_checker_that_finds_everybody_guilty_is_suspected_and_struck_out() {
    let mut bench = Bench::new(&[A], 40);
    let mut out = Vec::new();
    for number in 1..=40 {
        out.extend(bench.spot(A, lender(number), 50));
        if out.iter().any(|output| matches!(output, Output::CheckerSuspect { .. })) {
            break;
        }
    }
    let Some(Output::CheckerSuspect { checker: A, against, of, quarantined }) = out.pop() else {
        panic!("not suspected: {out:?}")
    };
    assert_eq!((against, of), (5, 5));
    assert_eq!(out.len(), 4, "at most {QUARANTINES_SHARE} % of them, and they are named: {out:?}");
    assert_eq!(quarantined, [lender(1), lender(2), lender(3), lender(4)]);
    assert_eq!(bench.judge.suspects().collect::<Vec<_>>(), [A]);
    assert_eq!(bench.spot(A, lender(30), 50), [], "it is not believed");
    assert_eq!(bench.judge.standing(lender(30)).unwrap().checks, 0);
    let _ = bench.step(Input::Released { node: A });
    assert!(quarantine(&bench.spot(A, lender(30), 50)).is_some());
}

#[test]
fn too_many_guilty_within_a_day_are_left_to_a_person() {
    let mut bench = Bench::new(&[A, B], 20);
    let mut held = Vec::new();
    for number in 1..=8 {
        assert_eq!(bench.spot(A, lender(number), 50), []);
        match &bench.spot(B, lender(number), 50)[..] {
            [Output::Quarantine { .. }] => assert!(number <= 4),
            [Output::Held { lender, .. }] => held.push(*lender),
            other => panic!("{other:?}"),
        }
        assert_eq!(bench.spot(B, lender(number), 50), [], "said once");
    }
    assert_eq!(held, [lender(5), lender(6), lender(7), lender(8)]);
    bench.judge = Integrity::restore(1, bench.judge.saved());
    bench.up(A, Role::Checker);
    assert_eq!(bench.spot(A, lender(5), 50), [], "said once, and still too many");
    bench.now = bench.now.plus(DAY_MS);
    assert!(quarantine(&bench.spot(A, lender(5), 50)).is_some(), "the next day it can be");
}

#[test]
fn what_makes_no_sense_is_not_taken() {
    let mut bench = Bench::new(&[A, B], 3);
    let good = Checked { check: None, lender: lender(1), checker: A, model: M, positions: 100, different: 50 };
    for bad in [
        Checked { lender: A, ..good },
        Checked { lender: B, ..good },
        Checked { lender: lender(99), ..good },
        Checked { checker: lender(2), ..good },
        Checked { checker: lender(1), ..good },
        Checked { positions: 0, different: 0, ..good },
        Checked { different: 101, ..good },
        Checked { check: Some(CheckId(0)), ..good },
    ] {
        let before = bench.judge.saved();
        assert_eq!(bench.step(Input::Checked(bad)), []);
        assert_eq!(bench.judge.saved(), before, "{bad:?}");
    }
}

/// The canaries of a while in which every lender serves `jobs` an hour, each answered honestly at once.
fn canaries(policy: Policy, lenders: u8, hours: u64, jobs: u32) -> Vec<(Millis, NodeId, NodeId)> {
    let mut judge = Bench::new(&[A, B], lenders).judge;
    let mut seen = Vec::new();
    let mut now = Millis(0);
    let mut inputs = vec![Input::Policy(policy)];
    for hour in 0..hours {
        now = now.max(Millis(hour * 3_600_000));
        inputs.extend((1..=lenders).map(|number| Input::Served { lender: lender(number), model: M, jobs }));
        loop {
            for input in std::mem::take(&mut inputs) {
                for output in judge.handle(now, input) {
                    let Output::Canary { check, checker, lender, model } = output else { panic!("{output:?}") };
                    seen.push((now, checker, lender));
                    let check = Some(check);
                    let checked = Checked { check, lender, checker, model, positions: 100, different: 0 };
                    inputs.push(Input::Checked(checked));
                }
            }
            if inputs.is_empty() {
                match judge.next_deadline().filter(|due| due.0 < (hour + 1) * 3_600_000) {
                    Some(due) => now = now.max(due),
                    None => break,
                }
                inputs.push(Input::Tick);
            }
        }
    }
    seen
}

#[test]
fn canaries_come_in_the_share_that_the_policy_says_and_reach_everybody() {
    let policy = Policy { canaries: true, per_thousand_jobs: 20, per_hour_max: 1_000 };
    let seen = canaries(policy, 20, 1_000, 5);
    // 100,000 jobs at 2 %, and a little more for lenders that are new.
    assert!((2_000..2_400).contains(&seen.len()), "{}", seen.len());
    let mut each: BTreeMap<(NodeId, NodeId), usize> = BTreeMap::new();
    seen.iter().for_each(|(_, checker, lender)| *each.entry((*lender, *checker)).or_default() += 1);
    assert_eq!(each.len(), 40, "each lender by both");
    assert!(each.values().all(|count| *count > 30), "{each:?}");
}

#[test]
fn canaries_keep_to_the_hourly_bound_and_then_go_to_who_waits_longest() {
    let policy = Policy { canaries: true, per_thousand_jobs: 1_000, per_hour_max: 60 };
    let seen = canaries(policy, 20, 24, 50);
    assert!((24 * 59..=24 * 60 + usize::try_from(BURST_MAX).unwrap()).contains(&seen.len()), "{}", seen.len());
    for number in 1..=20 {
        let count = seen.iter().filter(|(_, _, node)| *node == lender(number)).count();
        assert!((48..=96).contains(&count), "{number}: {count}");
    }
}

#[test]
fn whoever_served_most_since_its_last_check_is_next() {
    let mut bench = Bench::new(&[], 20);
    assert_eq!(bench.policy(Policy::default()), []);
    for number in 1..=20 {
        let jobs = if number == 7 { 1_000 } else { 1 };
        assert_eq!(bench.step(Input::Served { lender: lender(number), model: M, jobs }), []);
    }
    let (role, kind) = (Role::Checker, MachineKind(1));
    let out = bench.step(Input::NodeUp { node: A, role, kind, models: vec![M] });
    assert!(matches!(out[0], Output::Canary { lender, .. } if lender == self::lender(7)), "{out:?}");
}

#[test]
fn a_suspicious_lender_is_checked_again_without_serving() {
    let mut bench = Bench::new(&[A, B], 1);
    let out = bench.policy(Policy::default());
    let [Output::Canary { check, .. }] = out[..] else { panic!("{out:?}") };
    let _ = bench.step(Input::Failed { check });
    assert_eq!(bench.judge.next_deadline(), None, "none is due");
    assert_eq!(bench.spot(A, lender(1), 50), []);
    let mut checkers = Vec::new();
    for _ in 0..200 {
        let Some(due) = bench.judge.next_deadline() else { break };
        bench.now = bench.now.max(due);
        for output in bench.step(Input::Tick) {
            let Output::Canary { check, checker, .. } = output else { panic!("{output:?}") };
            checkers.push(checker);
            assert_eq!(bench.step(Input::Failed { check }), []);
        }
    }
    assert!(!checkers.is_empty() && checkers.iter().all(|checker| *checker == B), "B has not confirmed yet");
    assert!(checkers.len() <= usize::try_from(FOLLOW_UPS_MAX).unwrap() + 1, "{}", checkers.len());
}

#[test]
fn a_canary_that_nobody_answers_is_over_in_time_and_its_result_comes_too_late() {
    let mut bench = Bench::new(&[A], 1);
    let out = bench.policy(Policy::default());
    let [Output::Canary { check, .. }] = out[..] else { panic!("{out:?}") };
    assert_eq!(bench.judge.next_deadline(), Some(bench.now.plus(CHECK_MAX_MS)));
    bench.now = bench.now.plus(CHECK_MAX_MS);
    assert_eq!(bench.step(Input::Tick), []);
    let late = Checked { check: Some(check), lender: lender(1), checker: A, model: M, positions: 9, different: 9 };
    assert_eq!(bench.step(Input::Checked(late)), []);
    assert_eq!(bench.judge.standing(lender(1)).unwrap().checks, 0);
}

#[test]
fn there_is_room_for_so_many_checkers_and_no_more() {
    let mut bench = Bench::new(&[], 0);
    let checker = |number: usize| NodeId([u8::try_from(number).unwrap(); 16]);
    (1..=CHECKERS_MAX).for_each(|number| bench.up(checker(number), Role::Checker));
    let more = |bench: &mut Bench| {
        let (node, kind) = (checker(CHECKERS_MAX + 1), MachineKind(1));
        bench.step(Input::NodeUp { node, role: Role::Checker, kind, models: vec![M] })
    };
    assert_eq!(more(&mut bench), [Output::Unknown { node: checker(CHECKERS_MAX + 1) }]);
    let _ = bench.step(Input::NodeDown { node: checker(5) });
    assert_eq!(more(&mut bench), []);
}
