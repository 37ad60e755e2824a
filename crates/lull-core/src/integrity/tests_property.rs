use std::collections::{BTreeMap, BTreeSet};

use lull_types::{ModelHash, NodeId};
use proptest::prelude::*;

use super::*;

/// Nodes that the tests have; the first [`CHECKERS`] come up as checkers, mostly.
const NODES: u8 = 12;
const CHECKERS: u8 = 3;

fn node() -> impl Strategy<Value = NodeId> {
    (0..NODES).prop_map(|number| NodeId([number; 16]))
}

fn model() -> impl Strategy<Value = ModelHash> {
    (0_u8..3).prop_map(|number| ModelHash([number; 32]))
}

fn node_up() -> impl Strategy<Value = Input> {
    (node(), 0_u8..10, 0_u64..3, proptest::collection::vec(model(), 0..4)).prop_map(|(node, odd, kind, models)| {
        let checker = (node.0[0] < CHECKERS) != (odd == 0);
        let role = if checker { Role::Checker } else { Role::Lender };
        Input::NodeUp { node, role, kind: MachineKind(kind), models }
    })
}

fn checked() -> impl Strategy<Value = Checked> {
    let figures = prop_oneof![
        (0_u32..300, 0_u32..300),
        (Just(100), 0_u32..100),
        (Just(100), 0_u32..3),
        Just((u32::MAX, u32::MAX))
    ];
    (proptest::option::of(0_u64..40), node(), 0..CHECKERS, model(), figures).prop_map(
        |(check, lender, checker, model, (positions, different))| Checked {
            check: check.map(CheckId),
            lender,
            checker: NodeId([checker; 16]),
            model,
            positions,
            different,
        },
    )
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        3 => node_up(),
        1 => node().prop_map(|node| Input::NodeDown { node }),
        6 => (node(), model(), 0_u32..200).prop_map(|(lender, model, jobs)| Input::Served { lender, model, jobs }),
        6 => checked().prop_map(Input::Checked),
        1 => (0_u64..40).prop_map(|check| Input::Failed { check: CheckId(check) }),
        1 => (any::<bool>(), any::<u32>(), any::<u32>()).prop_map(|(off, per_thousand_jobs, per_hour_max)| {
            Input::Policy(Policy { canaries: !off || per_hour_max % 2 == 0, per_thousand_jobs, per_hour_max })
        }),
        1 => node().prop_map(|node| Input::Released { node }),
        2 => Just(Input::Tick),
    ]
}

/// What is done about a canary that comes out: nothing, or a result.
type Steps = Vec<(u64, Input, Option<u32>)>;

fn steps() -> impl Strategy<Value = Steps> {
    let wait = prop_oneof![Just(0_u64), 0_u64..60_000, 0_u64..40 * 3_600_000];
    let answer = proptest::option::weighted(0.8, prop_oneof![0_u32..3, 0_u32..100]);
    proptest::collection::vec((wait, input(), answer), 1..150)
}

#[derive(Default)]
struct Watch {
    up: BTreeMap<NodeId, (Role, Vec<ModelHash>)>,
    quarantined: BTreeSet<NodeId>,
    suspects: BTreeSet<NodeId>,
}

impl Watch {
    fn saw(&mut self, input: &Input) {
        match input {
            Input::NodeUp { node, role, models, .. } => {
                let role = if self.quarantined.contains(node) { Role::Lender } else { *role };
                self.up.insert(*node, (role, models.clone()));
            }
            Input::NodeDown { node } => {
                self.up.remove(node);
            }
            Input::Released { node } => {
                self.quarantined.remove(node);
                self.suspects.remove(node);
            }
            _ => {}
        }
    }

    fn did(&mut self, output: &Output) {
        match output {
            Output::Canary { checker, lender, model, .. } => {
                assert!(!self.quarantined.contains(lender), "a canary for a quarantined lender");
                assert!(!self.suspects.contains(checker), "a canary from a suspected checker");
                assert!(matches!(&self.up[checker], (Role::Checker, models) if models.contains(model)));
                assert!(matches!(&self.up[lender], (Role::Lender, models) if models.contains(model)));
            }
            Output::Quarantine { lender, .. } => assert!(self.quarantined.insert(*lender), "quarantined twice"),
            Output::CheckerSuspect { checker, .. } => assert!(self.suspects.insert(*checker), "suspected twice"),
            Output::Held { lender, .. } => assert!(!self.quarantined.contains(lender)),
            Output::KindDiffers { null, .. } => assert!((DIFFERS..=CEILING).contains(null)),
            Output::Unknown { .. } => panic!("there is room"),
        }
    }
}

fn play(seed: u64, steps: &Steps) -> (Vec<Output>, Integrity) {
    let mut judge = Integrity::new(seed);
    let mut watch = Watch::default();
    let mut now = Millis(0);
    let mut all = Vec::new();
    for (wait, input, answer) in steps {
        now = now.plus(*wait);
        let mut inputs = vec![input.clone()];
        while let Some(input) = inputs.pop() {
            watch.saw(&input);
            let outputs = judge.handle(now, input);
            for output in &outputs {
                watch.did(output);
                if let (Output::Canary { check, checker, lender, model }, Some(different)) = (output, answer) {
                    inputs.push(Input::Checked(Checked {
                        check: Some(*check),
                        lender: *lender,
                        checker: *checker,
                        model: *model,
                        positions: 100,
                        different: *different,
                    }));
                }
            }
            all.extend(outputs);
            assert!(judge.next_deadline().is_none_or(|due| due > now), "due at once, for ever");
        }
        let quarantined: BTreeSet<NodeId> = judge.quarantined().map(|(node, _)| node).collect();
        assert_eq!(quarantined, watch.quarantined);
        assert_eq!(judge.suspects().collect::<BTreeSet<_>>(), watch.suspects);
    }
    (all, judge)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_happens_its_rules_hold_and_it_happens_again(seed in any::<u64>(), steps in steps()) {
        let (outputs, judge) = play(seed, &steps);
        let (again, other) = play(seed, &steps);
        prop_assert_eq!(outputs, again);
        prop_assert_eq!(judge.saved(), other.saved());
        prop_assert_eq!(Integrity::restore(seed, judge.saved()).saved(), judge.saved());
    }

    #[test]
    fn a_saved_score_may_be_anything(scores in any::<[f64; 5]>(), different in any::<u32>(), null in any::<f64>()) {
        let (lender, checker, model) = (NodeId([9; 16]), NodeId([1; 16]), ModelHash([1; 32]));
        let by = vec![Testimony { checker, checks: 1, positions: 1, different: 1, score: scores[0] }];
        let saved = Saved {
            lenders: vec![SavedLender {
                node: lender,
                seen: Millis(0),
                kind: MachineKind(1),
                jobs: u64::MAX,
                checks: u32::MAX,
                trails: vec![(checker, Trail { checks: u32::MAX, scores, ..Trail::default() })],
                held: false,
                quarantined: (different % 2 == 0)
                    .then_some(Evidence { at: Millis(1), jobs: 1, confirmed: true, null, by }),
            }],
            cells: vec![SavedCell {
                model,
                lender_kind: MachineKind(1),
                checker_kind: MachineKind(1),
                lender,
                positions: u32::MAX - different,
                different,
            }],
            ..Saved::default()
        };
        let mut judge = Integrity::restore(1, saved);
        let kind = MachineKind(1);
        let up = |node, role| Input::NodeUp { node, role, kind, models: vec![model] };
        let _ = judge.handle(Millis(2), up(checker, Role::Checker));
        let _ = judge.handle(Millis(2), up(lender, Role::Lender));
        let checked = Checked { check: None, lender, checker, model, positions: 100, different: 1 };
        let _ = judge.handle(Millis(3), Input::Checked(checked));
        for (_, trail) in judge.saved_lender(lender).map(|saved| saved.trails).unwrap_or_default() {
            prop_assert!(trail.score().is_finite() && trail.score() >= 0.0);
        }
    }
}
