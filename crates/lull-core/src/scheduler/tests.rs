use std::collections::{BTreeMap, BTreeSet};

use lull_types::{Code, Epoch, JobId, Label, ModelHash, NodeId, Tier, Usage};
use proptest::prelude::*;

use super::*;
use crate::Millis;

#[path = "tests_labels.rs"]
mod labels;
#[path = "tests_labels_oracle.rs"]
mod oracle;
#[path = "tests_quotas.rs"]
mod quotas;
#[path = "tests_rules.rs"]
mod rules;
#[path = "tests_simulation.rs"]
mod simulation;

fn node(n: u8) -> NodeId {
    NodeId([n; 16])
}

fn job(n: u8) -> JobId {
    JobId([n; 16])
}

fn offer(model: &str, slots: u16, tps: Option<f32>) -> Offer {
    let hash = ModelHash([1; 32]);
    let model = OfferedModel { name: model.into(), hash, context: 4096, decode_tps: tps, prefill_tps: tps };
    Offer { models: vec![model], slots, labels: Label::all().into() }
}

fn submit(n: u8, epoch: u32, model: &str) -> Submit {
    Submit {
        job: job(n),
        epoch: Epoch(epoch),
        model: model.into(),
        label: Label::internal(),
        prompt_tokens: 100,
        max_tokens: 100,
        submitter_key: [n; 32],
        check: None,
    }
}

/// A scheduler with a clock, for stories told step by step.
struct Story {
    now: Millis,
    scheduler: Scheduler,
}

impl Story {
    /// Node 1 submits; nodes 2 and up lend `slots` of "m" each, the later the faster.
    fn with_lenders(lenders: u8, slots: u16) -> Self {
        let mut story = Self { now: Millis(0), scheduler: Scheduler::new(7, ["m".to_owned()]) };
        assert!(story.up(1, &["a"]).is_empty());
        for n in 2..2 + lenders {
            story.up(n, &[]);
            story.step(Input::Offer { node: node(n), offer: offer("m", slots, Some(10.0 * f32::from(n))) });
        }
        story
    }

    fn up(&mut self, n: u8, groups: &[&str]) -> Vec<Output> {
        self.step(Input::NodeUp {
            node: node(n),
            groups: groups.iter().map(|&group| group.into()).collect(),
            user: n.to_string(),
        })
    }

    fn step(&mut self, input: Input) -> Vec<Output> {
        self.scheduler.handle(self.now, input)
    }

    fn ask(&mut self, n: u8) -> Vec<Output> {
        self.step(Input::Submit { submitter: node(1), submit: submit(n, 1, "m") })
    }

    fn accept(&mut self, lender: NodeId, n: u8) -> Vec<Output> {
        self.step(Input::Accepted { node: lender, job: job(n), epoch: Epoch(1), nonce: [9; 16] })
    }

    fn decline(&mut self, lender: NodeId, n: u8) -> Vec<Output> {
        self.step(Input::Declined { node: lender, job: job(n), epoch: Epoch(1), code: Code::Busy })
    }

    fn wait(&mut self, ms: u64) -> Vec<Output> {
        self.now = self.now.plus(ms);
        self.step(Input::Tick)
    }
}

fn reserved(out: &[Output]) -> Option<NodeId> {
    out.iter().find_map(|out| if let Output::Reserve(reserve) = out { Some(reserve.lender) } else { None })
}

fn refusal(out: &[Output]) -> Option<Refusal> {
    out.iter().find_map(|out| if let Output::Refused { why, .. } = out { Some(why.clone()) } else { None })
}

#[test]
fn the_fastest_free_lender_is_reserved_granted_and_opened_once() {
    let mut story = Story::with_lenders(3, 1);
    let out = story.ask(1);
    assert_eq!(reserved(&out), Some(node(4)));
    assert!(story.accept(node(3), 1).contains(&Output::Release { lender: node(3), job: job(1), epoch: Epoch(1) }));
    let out = story.accept(node(4), 1);
    let Some(Output::Grant(grant)) = out.first() else { panic!("{out:?}") };
    assert_eq!((grant.lender, grant.nonce, grant.submit.submitter_key), (node(4), [9; 16], [1; 32]));
    assert!(story.accept(node(4), 1).is_empty());
    assert_eq!(story.scheduler.open(story.now, node(2), job(1), Epoch(1)), Err(OpenRefusal::Refused));
    assert_eq!(story.scheduler.open(story.now, node(1), job(1), Epoch(1)), Ok(node(4)));
    assert_eq!(story.scheduler.open(story.now, node(1), job(1), Epoch(1)), Err(OpenRefusal::Refused));
    assert_eq!(reserved(&story.ask(2)), Some(node(3)));
    let finished = Input::Finished { job: job(1), epoch: Epoch(1), lender_lost: false };
    assert!(story.step(finished).is_empty());
    assert_eq!(reserved(&story.ask(3)), Some(node(4)));
}

#[test]
fn a_decline_and_a_silence_lead_to_another_lender() {
    let mut story = Story::with_lenders(3, 1);
    assert_eq!(reserved(&story.ask(1)), Some(node(4)));
    assert_eq!(reserved(&story.decline(node(4), 1)), Some(node(3)));
    let out = story.wait(RESERVE_MAX_MS);
    assert!(out.contains(&Output::Release { lender: node(3), job: job(1), epoch: Epoch(1) }), "{out:?}");
    // The first one may be asked again: its refusal is old by now.
    assert!(reserved(&out).is_some(), "{out:?}");
}

#[test]
fn the_only_lender_is_asked_again_after_a_while_and_not_for_ever() {
    let mut story = Story::with_lenders(1, 1);
    let mut asked = u32::from(reserved(&story.ask(1)).is_some());
    let mut end = None;
    while end.is_none() {
        let mut out = story.decline(node(2), 1);
        while reserved(&out).is_none() && refusal(&out).is_none() {
            let due = story.scheduler.next_deadline().unwrap();
            out = story.wait(due.since(story.now));
        }
        end = refusal(&out);
        asked += u32::from(reserved(&out).is_some());
    }
    assert_eq!((asked, end), (DECLINES_MAX, Some(Refusal::Declined)));
    assert!(story.now <= Millis(WAIT_MAX_MS));
}

#[test]
fn a_slot_that_a_cancelled_job_leaves_goes_to_no_other_run_of_it() {
    let mut story = Story::with_lenders(1, 1);
    assert_eq!(reserved(&story.ask(1)), Some(node(2)));
    assert!(reserved(&story.step(Input::Submit { submitter: node(1), submit: submit(1, 2, "m") })).is_none());
    assert!(reserved(&story.ask(2)).is_none());
    let out = story.step(Input::Cancel { submitter: node(1), job: job(1) });
    let given: Vec<_> =
        out.iter().filter_map(|out| if let Output::Reserve(to) = out { Some(to.submit.job) } else { None }).collect();
    assert_eq!(given, [job(2)]);
}

#[test]
fn an_unknown_model_is_refused_at_once_and_a_known_one_waits() {
    let mut story = Story::with_lenders(0, 1);
    let ask = |model| Input::Submit { submitter: node(1), submit: submit(1, 1, model) };
    assert_eq!(refusal(&story.step(ask("nobody-has-it"))), Some(Refusal::ModelUnknown));
    let out = story.step(ask(DEMO_MODEL));
    assert_eq!(out, [Output::Queued { submitter: node(1), job: job(1), ahead: 0 }]);
    assert!(story.wait(NO_OFFER_WAIT_MS - 1).is_empty());
    assert_eq!(refusal(&story.wait(1)), Some(Refusal::NoOffer));
    assert!(story.scheduler.next_deadline().is_none());
}

#[test]
fn a_waiting_job_goes_to_the_first_node_that_offers() {
    let mut story = Story::with_lenders(0, 1);
    story.ask(1);
    story.up(2, &[]);
    let out = story.step(Input::Offer { node: node(2), offer: offer("m", 1, None) });
    assert_eq!(reserved(&out), Some(node(2)));
    // Full: the next one waits, and longer than for a model that nobody offers.
    assert!(matches!(story.ask(2)[..], [Output::Queued { ahead: 0, .. }]));
    assert!(matches!(story.ask(3)[..], [Output::Queued { ahead: 1, .. }]));
    story.accept(node(2), 1);
    assert!(story.scheduler.open(story.now, node(1), job(1), Epoch(1)).is_ok());
    assert_eq!(refusal(&story.wait(WAIT_MAX_MS - 1)), None);
    assert_eq!(refusal(&story.wait(1)), Some(Refusal::Busy));
}

#[test]
fn a_grant_that_nobody_opens_gives_its_slot_back() {
    let mut story = Story::with_lenders(1, 1);
    story.ask(1);
    story.accept(node(2), 1);
    let out = story.wait(GRANT_OPEN_MAX_MS);
    assert_eq!(out, [Output::Release { lender: node(2), job: job(1), epoch: Epoch(1) }]);
    assert_eq!(story.scheduler.open(story.now, node(1), job(1), Epoch(1)), Err(OpenRefusal::Refused));
    assert_eq!(reserved(&story.ask(2)), Some(node(2)));
}

#[test]
fn a_node_that_goes_takes_its_part_of_each_job_along() {
    let mut story = Story::with_lenders(2, 1);
    assert_eq!(reserved(&story.ask(1)), Some(node(3)));
    let out = story.step(Input::NodeDown { node: node(3) });
    assert_eq!(reserved(&out), Some(node(2)), "a reservation moves on");
    story.accept(node(2), 1);
    assert!(story.step(Input::NodeDown { node: node(2) }).is_empty());
    assert_eq!(story.scheduler.open(story.now, node(1), job(1), Epoch(1)), Err(OpenRefusal::LenderLost));

    let mut story = Story::with_lenders(1, 1);
    story.ask(1);
    story.accept(node(2), 1);
    story.scheduler.open(story.now, node(1), job(1), Epoch(1)).unwrap();
    story.ask(2);
    let cut = |why| Output::Cut { job: job(1), epoch: Epoch(1), why };
    assert_eq!(story.step(Input::NodeDown { node: node(1) }), [cut(Cut::Cancelled)]);
    assert_eq!(story.scheduler.load(), Load { nodes: 1, waiting: 0, held: 0, teams: 1 });
}

#[test]
fn an_epoch_is_used_once_and_a_job_belongs_to_one_node() {
    let mut story = Story::with_lenders(2, 2);
    story.up(9, &[]);
    story.ask(1);
    assert!(story.ask(1).is_empty(), "the same question again changes nothing");
    let foreign = Input::Submit { submitter: node(9), submit: submit(1, 2, "m") };
    assert_eq!(refusal(&story.step(foreign)), Some(Refusal::BadEpoch));
    assert!(story.step(Input::Cancel { submitter: node(9), job: job(1) }).is_empty());
    let out = story.step(Input::Cancel { submitter: node(1), job: job(1) });
    assert_eq!(out, [Output::Release { lender: node(3), job: job(1), epoch: Epoch(1) }]);
    assert_eq!(refusal(&story.ask(1)), Some(Refusal::BadEpoch));
    let next = Input::Submit { submitter: node(1), submit: submit(1, 2, "m") };
    assert!(reserved(&story.step(next)).is_some());
    let zero = Input::Submit { submitter: node(1), submit: submit(3, 0, "m") };
    assert_eq!(refusal(&story.step(zero)), Some(Refusal::BadEpoch));
}

#[test]
fn a_lender_that_was_lost_is_avoided_by_the_next_run() {
    let mut story = Story::with_lenders(2, 2);
    assert_eq!(reserved(&story.ask(1)), Some(node(3)));
    story.accept(node(3), 1);
    story.scheduler.open(story.now, node(1), job(1), Epoch(1)).unwrap();
    story.step(Input::Finished { job: job(1), epoch: Epoch(1), lender_lost: true });
    let next = Input::Submit { submitter: node(1), submit: submit(1, 2, "m") };
    assert_eq!(reserved(&story.step(next)), Some(node(2)));
}

#[test]
fn equals_take_turns() {
    let mut story = Story::with_lenders(0, 1);
    for n in 10..20 {
        story.up(n, &[]);
        story.step(Input::Offer { node: node(n), offer: offer("m", 4, Some(20.0)) });
    }
    let lenders: BTreeSet<NodeId> = (1..=10).filter_map(|n| reserved(&story.ask(n))).collect();
    assert_eq!(lenders.len(), 10);
}

#[test]
fn a_node_has_a_bounded_number_of_jobs() {
    let mut story = Story::with_lenders(0, 1);
    for n in 0..JOBS_PER_NODE_MAX {
        let mut submit = submit(0, 1, "m");
        submit.job.0[..8].copy_from_slice(&n.to_le_bytes());
        submit.job.0[15] = 1;
        assert_eq!(refusal(&story.step(Input::Submit { submitter: node(1), submit })), None);
    }
    assert_eq!(refusal(&story.ask(255)), Some(Refusal::TooManyJobs));
    assert_eq!(story.scheduler.load().waiting, JOBS_PER_NODE_MAX);
}

#[test]
fn a_prompt_that_fits_nowhere_is_refused_at_once() {
    let mut story = Story::with_lenders(1, 1);
    let mut long = submit(1, 1, "m");
    long.prompt_tokens = 100_000;
    let out = story.step(Input::Submit { submitter: node(1), submit: long });
    assert_eq!(refusal(&out), Some(Refusal::ContextExceeded));
}

#[test]
fn the_catalogue_names_known_models_and_their_best_lender() {
    let mut story = Story::with_lenders(2, 1);
    let catalogue = story.scheduler.catalogue();
    assert_eq!(catalogue.len(), 2);
    assert_eq!((catalogue[0].name.as_str(), catalogue[0].lenders), (DEMO_MODEL, 0));
    assert_eq!((catalogue[1].name.as_str(), catalogue[1].lenders, catalogue[1].decode_tps), ("m", 2, Some(30.0)));
    let version = story.scheduler.catalogue_version();
    story.step(Input::Offer { node: node(2), offer: offer("new", 1, Some(f32::NAN)) });
    assert!(story.scheduler.catalogue_version() > version);
    assert_eq!(story.scheduler.catalogue().len(), 3);
}

fn any_input() -> impl Strategy<Value = Input> {
    let n = || 1_u8..6;
    let j = || 1_u8..8;
    let e = || 1_u32..4;
    let tps = prop_oneof![Just(None), Just(Some(0.0)), Just(Some(f32::INFINITY)), (1.0_f32..200.0).prop_map(Some)];
    let model = || prop_oneof![Just("m"), Just("lull-demo"), Just("other")];
    prop_oneof![
        2 => (n(), 0_u8..3).prop_map(|(n, g)| Input::NodeUp { node: node(n), groups: vec![format!("g{g}")], user: n.to_string() }),
        3 => (n(), model(), 0_u16..4, tps).prop_map(|(n, m, s, t)| Input::Offer { node: node(n), offer: offer(m, s, t) }),
        1 => n().prop_map(|n| Input::NodeDown { node: node(n) }),
        6 => (n(), j(), e(), model())
            .prop_map(|(n, j, e, m)| Input::Submit { submitter: node(n), submit: submit(j, e, m) }),
        6 => (n(), j(), e())
            .prop_map(|(n, j, e)| Input::Accepted { node: node(n), job: job(j), epoch: Epoch(e), nonce: [0; 16] }),
        2 => (n(), j(), e())
            .prop_map(|(n, j, e)| Input::Declined { node: node(n), job: job(j), epoch: Epoch(e), code: Code::Busy }),
        3 => (j(), e(), any::<bool>())
            .prop_map(|(j, e, lender_lost)| Input::Finished { job: job(j), epoch: Epoch(e), lender_lost }),
        1 => (j(), e(), 0_u32..500).prop_map(|(j, e, t)| Input::Settled {
            job: job(j), epoch: Epoch(e), usage: Usage { prompt_tokens: t, completion_tokens: t }
        }),
        1 => (n(), j()).prop_map(|(n, j)| Input::Cancel { submitter: node(n), job: job(j) }),
        2 => Just(Input::Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_happens_the_rules_hold(steps in proptest::collection::vec((any_input(), 0_u64..4_000), 1..150)) {
        let mut scheduler = Scheduler::new(1, ["m".to_owned()]);
        let mut again = Scheduler::new(1, ["m".to_owned()]);
        let mut watch = simulation::Watch::default();
        let mut now = Millis(0);
        for (input, pause) in steps {
            now = now.plus(pause);
            watch.saw(now, &input);
            let out = scheduler.handle(now, input.clone());
            prop_assert_eq!(&out, &again.handle(now, input));
            watch.did(now, &out);
            for (submitter, job, epoch) in watch.grants_to_open() {
                let opened = scheduler.open(now, submitter, job, epoch);
                prop_assert_eq!(opened, again.open(now, submitter, job, epoch));
                watch.opened(job, epoch, opened.is_ok());
            }
        }
        // Every wait is bounded: left alone, everything comes to its end.
        while let Some(due) = scheduler.next_deadline() {
            now = now.max(due);
            prop_assert!(now.0 < 150 * 4_000 + WAIT_MAX_MS + RUN_MAX_MS + GRANT_OPEN_MAX_MS);
            let out = scheduler.handle(now, Input::Tick);
            watch.did(now, &out);
        }
        watch.all_ended();
        prop_assert_eq!((scheduler.load().waiting, scheduler.load().held), (0, 0));
    }
}
