//! The training loop: AdamW with warm-up and cosine, on batches that always split into the same two shards.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use candle_core::{Tensor, Var};

use super::corpus::{self, Chat};
use super::faq::Entry;
use super::net::{Batch, Net, Shape, Weight};
use super::ops::{self, NO_TARGET, Pairs};
use super::rng::Rng;
use super::tokens::{Codec, Message};

/// What decides the result, besides the FAQ.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) seed: u64,
    pub(crate) steps: usize,
}

const PEAK_RATE: f64 = 4e-3;
const WARM_UP_STEPS: usize = 60;
const LAST_RATE_SHARE: f64 = 0.01;
const WEIGHT_DECAY: f32 = 0.02;
const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.98;
const CLIP_NORM: f32 = 1.0;
/// Tokens per step, padding included.
const BATCH_TOKENS: usize = 2048;
/// Threads, each with its own part of the batch; a fixed number, so that sums do not depend on the machine.
const SHARDS: usize = 2;
/// The share of questions that are shown word for word.
const EXACT_SHARE: f64 = 0.5;
const LOG_EVERY_STEPS: usize = 20;

/// The trained weights, and what there is to tell.
pub(crate) struct Trained {
    pub(crate) weights: Vec<(String, Tensor)>,
    pub(crate) log: String,
    pub(crate) time: Duration,
}

/// Token ids, and at each place the id to predict next (or [`NO_TARGET`]).
struct Sample {
    ids: Vec<u32>,
    targets: Vec<u32>,
}

impl Sample {
    fn new(codec: &Codec, chat: &Chat) -> Result<Self> {
        let mut messages: Vec<Message> = chat.system.iter().map(|text| ("system", *text)).collect();
        let mut sample = Self { ids: Vec::new(), targets: Vec::new() };
        for turn in &chat.turns {
            messages.push(("user", &turn.question));
            let prompt = codec.chat(&messages)?;
            let answer = codec.answer(&turn.answer)?;
            let start = prompt.len();
            sample.ids = [prompt, answer].concat();
            sample.targets.resize(start - 1, NO_TARGET);
            sample.targets.extend(&sample.ids[start..]);
            sample.targets.push(NO_TARGET);
            messages.push(("assistant", &turn.answer));
        }
        Ok(sample)
    }
}

/// Endless batches of samples of similar length.
struct Feed<'a> {
    entries: &'a [Entry],
    codec: &'a Codec,
    rng: Rng,
    ready: Vec<Vec<Sample>>,
}

impl Feed<'_> {
    fn next(&mut self) -> Result<Vec<Sample>> {
        if self.ready.is_empty() {
            let chats = corpus::epoch(self.entries, EXACT_SHARE, &mut self.rng);
            let mut samples: Vec<Sample> =
                chats.iter().map(|chat| Sample::new(self.codec, chat)).collect::<Result<_>>()?;
            samples.sort_by_key(|sample| sample.ids.len());
            let mut batch: Vec<Sample> = Vec::new();
            for sample in samples {
                if !batch.is_empty() && (batch.len() + 1) * sample.ids.len() > BATCH_TOKENS {
                    self.ready.push(std::mem::take(&mut batch));
                }
                batch.push(sample);
            }
            self.ready.push(batch);
            self.rng.shuffle(&mut self.ready);
        }
        self.ready.pop().context("an epoch has no batch")
    }
}

/// One shard's loss and gradients, in the order of `vars`.
fn gradients(net: &Net, vars: &[(String, Var)], samples: &[&Sample], scale: f32) -> Result<(f32, Vec<Vec<f32>>)> {
    let time = samples.iter().map(|s| s.ids.len()).max().unwrap_or(0);
    let mut batch = Batch { ids: Vec::new(), time };
    let (mut rows, mut targets) = (Vec::new(), Vec::new());
    for sample in samples {
        let start = batch.ids.len();
        for (at, target) in sample.targets.iter().enumerate().filter(|(_, t)| **t != NO_TARGET) {
            rows.push((start + at) as u32);
            targets.push(*target);
        }
        batch.ids.extend(&sample.ids);
        batch.ids.resize(start + time, 0);
    }
    let loss = ops::cross_entropy(&net.logits(&batch, &rows)?, targets, scale)?;
    let store = loss.backward()?;
    let flat = |(name, var): &(String, Var)| -> Result<Vec<f32>> {
        let grad = store.get(var).with_context(|| format!("no gradient for {name}"))?;
        Ok(grad.flatten_all()?.to_vec1()?)
    };
    Ok((loss.to_scalar()?, vars.iter().map(flat).collect::<Result<_>>()?))
}

/// The summed loss and gradients of all shards.
fn sharded(net: &Net, vars: &[(String, Var)], samples: &[Sample]) -> Result<(f32, Vec<Vec<f32>>)> {
    let count = samples.iter().flat_map(|s| &s.targets).filter(|t| **t != NO_TARGET).count();
    let scale = 1.0 / count as f32;
    let parts: Vec<Vec<&Sample>> = (0..SHARDS).map(|i| samples.iter().skip(i).step_by(SHARDS).collect()).collect();
    let results: Vec<Result<_>> = std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for part in parts.iter().filter(|part| !part.is_empty()) {
            threads.push(scope.spawn(move || gradients(net, vars, part, scale)));
        }
        threads.into_iter().map(|t| t.join().map_err(|_| anyhow!("a shard panicked"))?).collect()
    });
    let mut results = results.into_iter();
    let (mut loss, mut sum) = results.next().context("an empty batch")??;
    for result in results {
        let (part_loss, part) = result?;
        loss += part_loss;
        let (sum, part) = (sum.iter_mut().flatten(), part.iter().flatten());
        sum.zip(part).for_each(|(s, p)| *s += p);
    }
    Ok((loss, sum))
}

struct AdamW {
    values: Vec<Vec<f32>>,
    first: Vec<Vec<f32>>,
    second: Vec<Vec<f32>>,
    step: i32,
}

impl AdamW {
    fn new(vars: &[(String, Var)]) -> Result<Self> {
        let values: Vec<Vec<f32>> =
            vars.iter().map(|(_, var)| Ok(var.flatten_all()?.to_vec1()?)).collect::<Result<_>>()?;
        let zeros: Vec<Vec<f32>> = values.iter().map(|v| vec![0.0; v.len()]).collect();
        Ok(Self { values, first: zeros.clone(), second: zeros, step: 0 })
    }

    fn update(&mut self, vars: &[(String, Var)], grads: &[Vec<f32>], rate: f32) -> Result<()> {
        self.step += 1;
        let norm = grads.iter().flatten().map(|g| g * g).sum::<f32>().sqrt();
        let clip = (CLIP_NORM / norm.max(1e-12)).min(1.0);
        let (unbias_1, unbias_2) = (1.0 - BETA_1.powi(self.step), 1.0 - BETA_2.powi(self.step));
        for (i, (_, var)) in vars.iter().enumerate() {
            let decay = if var.rank() > 1 { 1.0 - rate * WEIGHT_DECAY } else { 1.0 };
            let moments = self.first[i].iter_mut().zip(&mut self.second[i]);
            for ((value, grad), (m, v)) in self.values[i].iter_mut().zip(&grads[i]).zip(moments) {
                let grad = grad * clip;
                *m = BETA_1 * *m + (1.0 - BETA_1) * grad;
                *v = BETA_2 * *v + (1.0 - BETA_2) * grad * grad;
                let direction = (*m / unbias_1) / ((*v / unbias_2).sqrt() + 1e-8);
                *value = *value * decay - rate * direction;
            }
            var.set(&Tensor::from_slice(&self.values[i], var.shape(), var.device())?)?;
        }
        Ok(())
    }
}

fn rate(step: usize, steps: usize) -> f32 {
    let warm_up = WARM_UP_STEPS.min(steps / 4).max(1);
    let share = if step < warm_up {
        (step + 1) as f64 / warm_up as f64
    } else {
        let done = (step - warm_up) as f64 / (steps - warm_up).max(1) as f64;
        LAST_RATE_SHARE + (1.0 - LAST_RATE_SHARE) * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
    };
    (PEAK_RATE * share) as f32
}

/// Trains from nothing, telling of its progress on standard error.
pub(crate) fn train(shape: &Shape, codec: &Codec, entries: &[Entry], recipe: &Recipe) -> Result<Trained> {
    let started = Instant::now();
    let mut rng = Rng::new(recipe.seed);
    let vars = shape.init(&mut rng)?;
    let find = |name: &str| vars.iter().find(|(n, _)| n == name).map(|(_, var)| var.as_tensor().clone());
    let net = Net::new(shape, Pairs::Halves, |name| Ok(Weight::Dense(find(name).context("an unknown weight")?)))?;
    let mut adam = AdamW::new(&vars)?;
    let mut feed = Feed { entries, codec, rng, ready: Vec::new() };
    let mut log = String::new();
    let mut recent = (0.0, 0);
    for step in 0..recipe.steps {
        let (loss, grads) = sharded(&net, &vars, &feed.next()?)?;
        adam.update(&vars, &grads, rate(step, recipe.steps))?;
        recent = (recent.0 + loss, recent.1 + 1);
        if (step + 1) % LOG_EVERY_STEPS == 0 || step + 1 == recipe.steps {
            let line = progress(step + 1, recipe.steps, recent.0 / recent.1 as f32, started.elapsed());
            eprint!("\r{line}");
            std::io::stderr().flush()?;
            writeln!(log, "{line}")?;
            recent = (0.0, 0);
        }
    }
    eprintln!();
    let weights = vars.into_iter().map(|(name, var)| (name, var.into_inner())).collect();
    Ok(Trained { weights, log, time: started.elapsed() })
}

fn progress(step: usize, steps: usize, loss: f32, elapsed: Duration) -> String {
    let left = elapsed.mul_f64((steps - step) as f64 / step as f64);
    let (elapsed, left) = (elapsed.as_secs(), left.as_secs());
    format!("step {step:5} of {steps}   loss {loss:8.5}   {elapsed:4} s gone   {left:4} s to go")
}
