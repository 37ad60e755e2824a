use lull_types::{Code, Sampling};
use proptest::prelude::*;

use super::{Noise, Sampler, log_sum_exp};

fn pick(sampling: &Sampling, logits: &[f32], position: u32) -> u32 {
    Sampler::new(sampling, &[], &[]).unwrap().choose(logits, position).unwrap().id
}

fn greedy() -> Sampling {
    Sampling { temperature: 0.0, ..Sampling::default() }
}

/// How often each of the ids is chosen, over many positions.
fn shares(sampling: &Sampling, logits: &[f32], draws: u32) -> Vec<f64> {
    let mut counts = vec![0.0; logits.len()];
    for position in 0..draws {
        counts[pick(sampling, logits, position) as usize] += 1.0 / f64::from(draws);
    }
    counts
}

#[test]
fn greedy_takes_the_largest_and_the_lowest_id_among_equals() {
    assert_eq!(pick(&greedy(), &[1.0, 3.0, 3.0, 2.0], 0), 1);
    assert_eq!(pick(&greedy(), &[f32::NAN, f32::NEG_INFINITY, -5.0, f32::NAN], 0), 2);
    assert_eq!(pick(&greedy(), &[f32::MAX, f32::INFINITY], 0), 0);
}

#[test]
fn draws_follow_the_softmax() {
    let logits = [0.5_f32.ln(), 0.3_f32.ln(), 0.2_f32.ln(), f32::NEG_INFINITY];
    let shares = shares(&Sampling::default(), &logits, 40_000);
    for (share, expected) in shares.iter().zip([0.5, 0.3, 0.2, 0.0]) {
        assert!((share - expected).abs() < 0.01, "{shares:?}");
    }
}

#[test]
fn cuts_leave_what_they_should() {
    let logits = [0.4_f32.ln(), 0.3_f32.ln(), 0.2_f32.ln(), 0.1_f32.ln()];
    let left = |sampling: Sampling| -> Vec<usize> {
        let shares = shares(&sampling, &logits, 4_000);
        (0..4).filter(|&id| shares[id] > 0.0).collect()
    };
    assert_eq!(left(Sampling { top_k: 2, ..Sampling::default() }), [0, 1]);
    assert_eq!(left(Sampling { top_p: 0.65, ..Sampling::default() }), [0, 1]);
    assert_eq!(left(Sampling { top_p: 0.01, ..Sampling::default() }), [0]);
    assert_eq!(left(Sampling { min_p: 0.45, ..Sampling::default() }), [0, 1, 2]);
    assert_eq!(left(Sampling { min_p: 1.0, ..Sampling::default() }), [0]);
    assert_eq!(left(Sampling { top_k: 3, top_p: 0.7, min_p: 0.8, ..Sampling::default() }), [0]);
}

#[test]
fn penalties_and_bias_move_the_choice() {
    let logits = [2.0, 1.9, -1.0];
    let choose = |sampling: &Sampling, prompt: &[u32], answer: &[u32]| {
        Sampler::new(sampling, prompt, answer).unwrap().choose(&logits, 0).unwrap().id
    };
    let presence = Sampling { presence_penalty: 0.2, ..greedy() };
    assert_eq!(choose(&presence, &[0], &[]), 0, "a prompt is not penalised by presence");
    assert_eq!(choose(&presence, &[], &[0]), 1);
    let frequency = Sampling { frequency_penalty: 0.06, ..greedy() };
    assert_eq!((choose(&frequency, &[], &[0]), choose(&frequency, &[], &[0, 0])), (0, 1));
    let repetition = Sampling { repetition_penalty: 1.2, ..greedy() };
    assert_eq!(choose(&repetition, &[0], &[]), 1, "a prompt is penalised by repetition");
    assert_eq!(choose(&Sampling { bias: vec![(2, 10.0), (99, 50.0)], ..greedy() }, &[], &[]), 2);
}

#[test]
fn logprobs_are_natural_and_of_the_model_itself() {
    let sampling = Sampling { logprobs: Some(2), bias: vec![(2, 100.0)], temperature: 0.3, ..Sampling::default() };
    let logits = [0.5_f32.ln(), 0.3_f32.ln(), 0.2_f32.ln()];
    let choice = Sampler::new(&sampling, &[], &[]).unwrap().choose(&logits, 0).unwrap();
    assert_eq!(choice.id, 2);
    assert!((choice.logprob.unwrap() - 0.2_f32.ln()).abs() < 1e-6);
    assert_eq!(choice.top.iter().map(|top| top.0).collect::<Vec<_>>(), [0, 1]);
    assert!((choice.top[0].1 - 0.5_f32.ln()).abs() < 1e-6);
}

#[test]
fn no_usable_logit_is_a_broken_model() {
    for logits in [vec![], vec![f32::NAN; 4], vec![f32::NEG_INFINITY; 4]] {
        for sampling in [greedy(), Sampling::default()] {
            let fault = Sampler::new(&sampling, &[], &[]).unwrap().choose(&logits, 0).unwrap_err();
            assert_eq!(fault.code, Code::ModelBroken);
        }
    }
}

#[test]
fn parameters_outside_their_range_are_refused() {
    let base = Sampling::default;
    for sampling in [
        Sampling { temperature: -0.1, ..base() },
        Sampling { temperature: f32::NAN, ..base() },
        Sampling { temperature: 2.1, ..base() },
        Sampling { top_p: 0.0, ..base() },
        Sampling { top_p: 1.1, ..base() },
        Sampling { min_p: -1.0, ..base() },
        Sampling { frequency_penalty: 3.0, ..base() },
        Sampling { presence_penalty: f32::INFINITY, ..base() },
        Sampling { repetition_penalty: 0.0, ..base() },
        Sampling { bias: vec![(0, f32::NAN)], ..base() },
        Sampling { bias: vec![(0, 0.0); Sampling::BIAS_MAX + 1], ..base() },
        Sampling { stop: vec!["x".into(); Sampling::STOPS_MAX + 1], ..base() },
        Sampling { stop: vec!["x".repeat(Sampling::STOP_BYTES_MAX + 1)], ..base() },
        Sampling { logprobs: Some(Sampling::LOGPROBS_MAX + 1), ..base() },
        Sampling { max_tokens: Sampling::MAX_TOKENS_MAX + 1, ..base() },
    ] {
        assert_eq!(Sampler::new(&sampling, &[], &[]).unwrap_err().code, Code::BadRequest, "{sampling:?}");
    }
}

#[test]
fn a_seed_chooses_alike_for_ever() {
    // These numbers are a promise: a newer lender must continue what an older one began.
    let logits = [0.0; 1000];
    let choices: Vec<u32> = (0..6).map(|at| pick(&Sampling { seed: 7, ..Sampling::default() }, &logits, at)).collect();
    assert_eq!(choices, [331, 229, 810, 309, 798, 352]);
}

proptest! {
    #[test]
    fn any_logits_give_a_possible_choice(
        logits in proptest::collection::vec(
            prop_oneof![8 => -30.0_f32..30.0, 1 => Just(f32::NAN), 1 => Just(f32::NEG_INFINITY), 1 => Just(f32::INFINITY)],
            1..200,
        ),
        temperature in prop_oneof![Just(0.0_f32), 0.01_f32..2.0],
        top_p in 0.01_f32..=1.0, top_k in 0_u32..50, min_p in 0.0_f32..=1.0,
        seed in any::<u64>(), position in any::<u32>(),
    ) {
        let sampling = Sampling { temperature, top_p, top_k, min_p, seed, logprobs: Some(3), ..Sampling::default() };
        let mut sampler = Sampler::new(&sampling, &[], &[]).unwrap();
        let possible = logits.iter().any(|logit| *logit > f32::NEG_INFINITY);
        match sampler.choose(&logits, position) {
            Ok(choice) => {
                prop_assert!(logits[choice.id as usize] > f32::NEG_INFINITY);
                prop_assert!(choice.logprob.unwrap() <= 1e-6);
                prop_assert!(choice.top.windows(2).all(|pair| pair[0].1 >= pair[1].1));
                prop_assert_eq!(&choice, &Sampler::new(&sampling, &[], &[]).unwrap().choose(&logits, position).unwrap());
            }
            Err(_) => prop_assert!(!possible),
        }
    }

    #[test]
    fn the_bound_on_noise_is_one(seed in any::<u64>(), position in any::<u32>(), high in 0_u64..1 << 20) {
        for noise in (0..200).map(|id| Noise::of(seed, position, id)).chain([Noise((1 << 53) - 1 - high), Noise(high)]) {
            prop_assert!(noise.gumbel() <= noise.at_most());
        }
    }

    #[test]
    fn skipping_what_cannot_win_changes_nothing(
        logits in proptest::collection::vec(-12.0_f32..12.0, 1..300), seed in any::<u64>(), position in any::<u32>(),
    ) {
        let sum = |id: u32| f64::from(logits[id as usize]) + Noise::of(seed, position, id).gumbel();
        let expected = (0..logits.len() as u32).max_by(|a, b| sum(*a).total_cmp(&sum(*b)).then(b.cmp(a)));
        prop_assert_eq!(Some(pick(&Sampling { seed, ..Sampling::default() }, &logits, position)), expected);
    }

    #[test]
    fn a_nucleus_is_what_full_sorting_gives(
        logits in proptest::collection::vec(-8.0_f32..8.0, 1..80), top_p in 0.01_f32..0.999,
    ) {
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weight = |id: u32| f64::from(logits[id as usize] - most).exp();
        let mut order: Vec<u32> = (0..logits.len() as u32).collect();
        let whole: f64 = order.iter().map(|&id| weight(id)).sum();
        order.sort_by(|a, b| weight(*b).total_cmp(&weight(*a)).then(a.cmp(b)));
        let mut expected = Vec::new();
        let mut sum = 0.0;
        for id in order {
            expected.push(id);
            sum += weight(id);
            if sum >= f64::from(top_p) * whole { break }
        }
        let got = super::nucleus((0..logits.len() as u32).collect(), top_p.into(), weight);
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn probabilities_sum_to_one(logits in proptest::collection::vec(-50.0_f32..50.0, 1..100)) {
        let norm = log_sum_exp(&logits);
        let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - norm).exp()).sum();
        prop_assert!((sum - 1.0).abs() < 1e-9);
    }

    #[test]
    fn logits_off_by_their_last_bits_choose_alike(seed in any::<u64>(), logits in proptest::collection::vec(-5.0_f32..5.0, 50)) {
        let sampling = Sampling { seed, ..Sampling::default() };
        let nudged: Vec<f32> = logits.iter().map(|logit| logit + logit.signum() * 1e-6).collect();
        let same = (0..50).filter(|&at| pick(&sampling, &logits, at) == pick(&sampling, &nudged, at)).count();
        prop_assert!(same >= 49);
    }
}
