use std::collections::HashMap;

use lull_types::{Code, Fault, Sampling};

/// Chooses tokens from logits, by one request's [`Sampling`].
///
/// Order: repetition penalty, frequency and presence penalties, bias, temperature, top-k, top-p, min-p; then the
/// largest sum of scaled logit and Gumbel noise wins, which draws from exactly the distribution that is left. The noise
/// of a token is a pure function of (seed, position, id). So a choice depends on nothing but logits, ids and seed, and
/// logits that differ in their last bits, as between two kinds of CPU, nearly always give the same choice.
/// Ties go to the lowest id. A NaN logit is never chosen.
#[derive(Debug, Clone)]
pub struct Sampler {
    sampling: Sampling,
    /// How often each id occurs in the answer; ids that occur only in the prompt stand with 0.
    seen: HashMap<u32, u32>,
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The token.
    pub id: u32,
    /// The natural logarithm of its probability under the model itself, if asked for.
    pub logprob: Option<f32>,
    /// The likeliest tokens under the model itself, likeliest first, as many as asked for.
    pub top: Vec<(u32, f32)>,
}

impl Sampler {
    /// A sampler for an answer that begins with `answer` after `prompt`.
    ///
    /// # Errors
    /// [`Code::BadRequest`] when a parameter is outside its range.
    pub fn new(sampling: &Sampling, prompt: &[u32], answer: &[u32]) -> Result<Self, Fault> {
        check(sampling)?;
        let mut seen = HashMap::new();
        if sampling.penalises() {
            seen.extend(prompt.iter().map(|&id| (id, 0)));
        }
        let mut sampler = Self { sampling: sampling.clone(), seen };
        answer.iter().for_each(|&id| sampler.accept(id));
        Ok(sampler)
    }

    /// Chooses the answer's token at `position`.
    ///
    /// # Errors
    /// [`Code::ModelBroken`] when no logit is a usable number.
    pub fn choose(&mut self, logits: &[f32], position: u32) -> Result<Choice, Fault> {
        let id = self.pick(logits, position).ok_or_else(|| {
            Fault::new(
                Code::ModelBroken,
                "the model computed no usable probabilities: its files are damaged; import the model again",
            )
        })?;
        self.accept(id);
        let Some(count) = self.sampling.logprobs else { return Ok(Choice { id, logprob: None, top: Vec::new() }) };
        let norm = log_sum_exp(logits);
        let logprob = |id: u32| (f64::from(usable(logits[id as usize])) - norm).max(LOGPROB_MIN) as f32;
        let ids = (0..logits.len() as u32).filter(|&id| !logits[id as usize].is_nan()).collect();
        let top = largest(ids, count.into(), |id| f64::from(usable(logits[id as usize])));
        Ok(Choice { id, logprob: Some(logprob(id)), top: top.into_iter().map(|id| (id, logprob(id))).collect() })
    }

    fn accept(&mut self, id: u32) {
        if self.sampling.penalises() {
            *self.seen.entry(id).or_default() += 1;
        }
    }

    fn pick(&self, logits: &[f32], position: u32) -> Option<u32> {
        let adjusted = self.adjust(logits);
        let value = |id: u32| adjusted[id as usize];
        let all = (0..adjusted.len() as u32).filter(|&id| value(id) > f64::NEG_INFINITY);
        if self.sampling.temperature == 0.0 {
            return all.reduce(|best, id| if value(id) > value(best) { id } else { best });
        }
        let mut left: Vec<u32> = all.collect();
        if self.sampling.top_k > 0 {
            left = largest(left, self.sampling.top_k as usize, value);
        }
        let most = left.iter().map(|&id| value(id)).fold(f64::NEG_INFINITY, f64::max);
        if self.sampling.top_p < 1.0 {
            left = nucleus(left, f64::from(self.sampling.top_p), |id| (value(id) - most).exp());
        }
        if self.sampling.min_p > 0.0 {
            let least = most + f64::from(self.sampling.min_p).ln();
            left.retain(|&id| value(id) >= least || value(id) == most);
        }
        let seed = self.sampling.seed;
        let mut best: Option<(u32, f64)> = None;
        for id in left {
            let (value, noise) = (value(id), Noise::of(seed, position, id));
            // Most cannot win, and need no logarithm to know it.
            if best.is_some_and(|(_, most)| value + noise.at_most() < most) {
                continue;
            }
            let sum = value + noise.gumbel();
            if best.is_none_or(|(other, most)| sum > most || (sum == most && id < other)) {
                best = Some((id, sum));
            }
        }
        best.map(|(id, _)| id)
    }

    /// Logits with penalties, bias and temperature; NaN becomes impossible.
    fn adjust(&self, logits: &[f32]) -> Vec<f64> {
        let mut adjusted: Vec<f64> = logits.iter().map(|&logit| f64::from(usable(logit))).collect();
        let repetition = f64::from(self.sampling.repetition_penalty);
        for (&id, &count) in &self.seen {
            let Some(logit) = adjusted.get_mut(id as usize) else { continue };
            *logit = if *logit > 0.0 { *logit / repetition } else { *logit * repetition };
            *logit -= f64::from(self.sampling.frequency_penalty) * f64::from(count);
            *logit -= if count > 0 { f64::from(self.sampling.presence_penalty) } else { 0.0 };
        }
        for &(id, bias) in &self.sampling.bias {
            if let Some(logit) = adjusted.get_mut(id as usize) {
                *logit += f64::from(bias);
            }
        }
        if self.sampling.temperature > 0.0 {
            adjusted.iter_mut().for_each(|logit| *logit /= f64::from(self.sampling.temperature));
        }
        adjusted
    }
}

/// Whether any penalty needs the earlier tokens.
trait Penalises {
    fn penalises(&self) -> bool;
}

impl Penalises for Sampling {
    fn penalises(&self) -> bool {
        self.frequency_penalty != 0.0 || self.presence_penalty != 0.0 || self.repetition_penalty != 1.0
    }
}

/// What is reported for the impossible, so that it is a number in JSON too.
const LOGPROB_MIN: f64 = -9999.0;

fn check(sampling: &Sampling) -> Result<(), Fault> {
    let within = |name: &str, value: f32, least: f32, most: f32| {
        if (least..=most).contains(&value) {
            return Ok(());
        }
        Err(Fault::new(Code::BadRequest, format!("{name} is {value}; give a number from {least} to {most}")))
    };
    within("temperature", sampling.temperature, 0.0, 2.0)?;
    within("top_p", sampling.top_p, f32::MIN_POSITIVE, 1.0)?;
    within("min_p", sampling.min_p, 0.0, 1.0)?;
    within("frequency_penalty", sampling.frequency_penalty, -2.0, 2.0)?;
    within("presence_penalty", sampling.presence_penalty, -2.0, 2.0)?;
    within("repetition_penalty", sampling.repetition_penalty, 0.01, 100.0)?;
    sampling.bias.iter().try_for_each(|&(_, bias)| within("a bias", bias, -1e9, 1e9))?;
    let bounds = [
        ("biased tokens", sampling.bias.len(), Sampling::BIAS_MAX),
        ("stop strings", sampling.stop.len(), Sampling::STOPS_MAX),
        ("logprobs", sampling.logprobs.unwrap_or(0).into(), Sampling::LOGPROBS_MAX.into()),
        ("max_tokens", sampling.max_tokens as usize, Sampling::MAX_TOKENS_MAX as usize),
        ("bytes in a stop string", sampling.stop.iter().map(String::len).max().unwrap_or(0), Sampling::STOP_BYTES_MAX),
    ];
    match bounds.into_iter().find(|&(_, have, most)| have > most) {
        Some((name, have, most)) => {
            Err(Fault::new(Code::BadRequest, format!("{name}: {have} asked for; at most {most} are possible")))
        }
        None => Ok(()),
    }
}

/// Impossible instead of NaN, and finite instead of plus infinity.
const fn usable(logit: f32) -> f32 {
    if logit.is_nan() {
        f32::NEG_INFINITY
    } else if logit > f32::MAX {
        f32::MAX
    } else {
        logit
    }
}

fn log_sum_exp(logits: &[f32]) -> f64 {
    let most = logits.iter().map(|&logit| f64::from(usable(logit))).fold(f64::NEG_INFINITY, f64::max);
    most + logits.iter().map(|&logit| (f64::from(usable(logit)) - most).exp()).sum::<f64>().ln()
}

/// The `count` ids of the largest values, largest first, the lower id first among equals.
fn largest(mut ids: Vec<u32>, count: usize, value: impl Fn(u32) -> f64) -> Vec<u32> {
    let order = |a: &u32, b: &u32| value(*b).total_cmp(&value(*a)).then(a.cmp(b));
    if count == 0 {
        return Vec::new();
    }
    if count < ids.len() {
        ids.select_nth_unstable_by(count - 1, order);
        ids.truncate(count);
    }
    ids.sort_unstable_by(order);
    ids
}

/// The fewest of the likeliest ids whose weights reach `share` of the whole.
fn nucleus(ids: Vec<u32>, share: f64, weight: impl Fn(u32) -> f64) -> Vec<u32> {
    let whole: f64 = ids.iter().map(|&id| weight(id)).sum();
    // All below this together weigh less than what may be left out: they need no sorting.
    let floor = whole * (1.0 - share) / ids.len() as f64;
    let likely: Vec<u32> = ids.into_iter().filter(|&id| weight(id) >= floor).collect();
    let count = likely.len();
    let mut sorted = largest(likely, count, &weight);
    let mut sum = 0.0;
    let enough = sorted.iter().position(|&id| {
        sum += weight(id);
        sum >= share * whole
    });
    sorted.truncate(enough.map_or(count, |at| at + 1));
    sorted
}

/// A token's random number at a place: 53 bits.
#[derive(Debug, Clone, Copy)]
struct Noise(u64);

impl Noise {
    const BITS: u32 = 53;

    const fn of(seed: u64, position: u32, id: u32) -> Self {
        let place = (position as u64) << 32 | id as u64;
        Self(mix(mix(seed ^ 0x4c75_6c6c_5361_6d70) ^ place) >> (u64::BITS - Self::BITS))
    }

    fn gumbel(self) -> f64 {
        let uniform = (self.0 as f64 + 0.5) / (1_u64 << Self::BITS) as f64;
        -(-uniform.ln()).ln()
    }

    /// No less than [`Noise::gumbel`]: with `u` as the uniform number, that is at most -ln(1 - u).
    fn at_most(self) -> f64 {
        let complement = (1 << Self::BITS) - 1 - self.0;
        let zeros = complement.leading_zeros() - (u64::BITS - Self::BITS);
        f64::from(zeros + 1) * std::f64::consts::LN_2 + 1e-9
    }
}

/// SplitMix64's finaliser: every bit of the result depends on every bit of `x`.
const fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
#[path = "sample_tests.rs"]
mod tests;
