use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, bail, ensure};
use lull_engine::{Demand, GenerateRequest, Limits, Step, Worker, WorkerSpec};
use lull_types::{Layers, Message, Role, Sampling};
use serde::Deserialize;
use serde_json::json;
use tokio::runtime::Runtime;

/// What one run measured, in tokens per second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Speeds {
    pub(crate) prefill: f64,
    pub(crate) decode: f64,
}

/// Something that can answer once, measured where the answer arrives.
pub(crate) trait Run {
    fn run(&mut self, prompt: u32, answer: u32) -> Result<Speeds>;
}

/// Our worker through `Worker::generate`, as a node uses it.
pub(crate) struct Ours {
    runtime: Runtime,
    worker: Worker,
}

impl Ours {
    pub(crate) fn start(program: &Path, model: &Path, threads: u16, context: u32, demand: Demand) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let spec = WorkerSpec {
            program: program.to_owned(),
            model: model.to_owned(),
            threads,
            context_max: context,
            memory_max: None,
            scratch: crate::setup::cache()?.join("bench/scratch"),
            limits: Limits::default(),
            demand,
            leash: None,
        };
        let worker = runtime.block_on(Worker::spawn(spec))?;
        Ok(Self { runtime, worker })
    }

    /// What it is confined by.
    pub(crate) fn layers(&self) -> &Layers {
        &self.worker.info().layers
    }

    /// From the start of its process to the loaded model, in seconds.
    pub(crate) fn loaded_in_s(&self) -> f64 {
        self.worker.info().loaded_in.as_secs_f64()
    }
}

impl Run for Ours {
    fn run(&mut self, prompt: u32, answer: u32) -> Result<Speeds> {
        // Each byte is a token, and the end of an answer is made impossible.
        let content = (0..prompt).map(|at| char::from(b'a' + (at * 7 % 26) as u8)).collect();
        let request = GenerateRequest {
            messages: vec![Message { role: Role::User, content }],
            sampling: Sampling {
                temperature: 0.0,
                max_tokens: answer,
                bias: self.worker.info().ends.iter().map(|&end| (end, -1e9)).collect(),
                ..Sampling::default()
            },
            prefix: Vec::new(),
        };
        self.runtime.block_on(async {
            let started = Instant::now();
            let mut first = started;
            let (mut read, mut tokens) = (0, 0);
            let mut generation = self.worker.generate(request).await;
            while let Some(step) = generation.next().await {
                match step? {
                    Step::Prefilled { prompt_tokens, .. } => read = prompt_tokens,
                    Step::Token(_) if tokens == 0 => (first, tokens) = (Instant::now(), 1),
                    Step::Token(_) => tokens += 1,
                    Step::Done { .. } => {}
                }
            }
            ensure!(read == prompt && tokens == answer, "{read} and {tokens} tokens instead of {prompt} and {answer}");
            Ok(Speeds {
                prefill: f64::from(prompt) / (first - started).as_secs_f64(),
                decode: f64::from(answer - 1) / first.elapsed().as_secs_f64(),
            })
        })
    }
}

/// A program that answers a line of JSON for each run.
pub(crate) struct Peer {
    process: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

#[derive(Deserialize)]
struct Answer {
    prefill_s: f64,
    decode_s: f64,
    tokens: u32,
}

impl Peer {
    pub(crate) fn start(program: &Path, paths: &[&Path], numbers: &[String]) -> Result<Self> {
        let mut process = Command::new(program)
            .args(paths)
            .args(numbers)
            .env("RAYON_NUM_THREADS", numbers.first().map_or("1", String::as_str))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let asks = process.stdin.take().context("no pipe to the peer")?;
        let answers = BufReader::new(process.stdout.take().context("no pipe from the peer")?);
        let mut peer = Self { process, asks, answers };
        peer.line().with_context(|| format!("{} did not start", program.display()))?;
        Ok(peer)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("the peer ended: {}", self.process.wait()?);
        }
        Ok(line)
    }
}

impl Run for Peer {
    fn run(&mut self, prompt: u32, answer: u32) -> Result<Speeds> {
        writeln!(self.asks, "{}", json!({ "prompt_tokens": prompt, "tokens": answer }))?;
        let line = self.line()?;
        let measured: Answer = serde_json::from_str(&line).with_context(|| format!("the peer said {line}"))?;
        ensure!(measured.tokens + 1 == answer, "the peer gave {} tokens, not {answer}", measured.tokens + 1);
        Ok(Speeds {
            prefill: f64::from(prompt) / measured.prefill_s,
            decode: f64::from(measured.tokens) / measured.decode_s,
        })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
