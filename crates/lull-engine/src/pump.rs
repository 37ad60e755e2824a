//! The one owner of a worker: takes requests, checks every frame, watches the clock.

use std::time::Duration;

use lull_types::{Code, Fault, Sampling, Token, TokenLogprob, Usage};
use tokio::sync::{Notify, mpsc};

use crate::{
    GenerateRequest, Limits, Step, WorkerInfo,
    child::{Child, Part, Trouble, believable},
    protocol::{FromWorker, Job, TEXT_BYTES_MAX, ToWorker},
};

/// What the worker's handle wants.
#[derive(Debug)]
pub(crate) enum Command {
    Generate(Asked),
    Exit,
}

/// A request, and where its answer goes.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) request: GenerateRequest,
    pub(crate) steps: mpsc::Sender<Result<Step, Fault>>,
}

#[derive(Debug)]
pub(crate) struct Pump {
    child: Child,
    info: WorkerInfo,
    limits: Limits,
    inbox: mpsc::Receiver<Command>,
    last_job: u64,
    /// The slowest prefill seen, for each token.
    prefill_per_token: Option<Duration>,
}

/// How much slower than ever before a prefill may be.
const PREFILL_SLACK: u32 = 10;

impl Pump {
    pub(crate) const fn new(child: Child, info: WorkerInfo, limits: Limits, inbox: mpsc::Receiver<Command>) -> Self {
        Self { child, info, limits, inbox, last_job: 0, prefill_per_token: None }
    }

    /// Runs until the worker is gone; gives the reason.
    pub(crate) async fn run(mut self, kill: &Notify) -> Fault {
        let trouble = tokio::select! {
            trouble = self.work() => trouble,
            () = kill.notified() => Trouble::Kill(Fault::new(Code::WorkerDied, "the worker was ended by its node")),
        };
        let fault = self.child.bury(trouble).await;
        tracing::debug!(pid = self.info.pid, code = %fault.code, "worker gone");
        fault
    }

    async fn work(&mut self) -> Trouble {
        loop {
            let command = tokio::select! {
                command = self.inbox.recv() => command,
                frame = self.child.frame() => return match frame {
                    Ok(_) => Trouble::breach("it spoke without being asked"),
                    Err(trouble) => trouble,
                },
            };
            match command {
                Some(Command::Generate(asked)) => {
                    if let Err(trouble) = self.answer(asked).await {
                        return trouble;
                    }
                }
                Some(Command::Exit) | None => {
                    let _ = self.child.send(&ToWorker::Exit, self.limits.stop).await;
                    return Trouble::Said(Fault::new(Code::WorkerDied, "the worker was told to exit"));
                }
            }
        }
    }

    /// One answer. An error means that the worker is lost; a fault of the request alone goes to whoever asked.
    async fn answer(&mut self, asked: Asked) -> Result<(), Trouble> {
        let Asked { request, steps } = asked;
        if steps.is_closed() {
            return Ok(());
        }
        self.last_job += 1;
        let watch = Watch::new(self.last_job, &request, &self.info);
        let job =
            Job { job: self.last_job, messages: request.messages, sampling: request.sampling, prefix: request.prefix };
        match self.child.send(&ToWorker::Generate(Box::new(job)), self.limits.tokenize).await {
            // Too long for a frame: nothing was written, so the worker is well.
            Err(Trouble::Said(fault)) => {
                let _ = steps.send(Err(fault)).await;
                Ok(())
            }
            Err(trouble) => Err(trouble),
            Ok(()) => self.follow(watch, steps).await,
        }
    }

    async fn follow(&mut self, mut watch: Watch, steps: mpsc::Sender<Result<Step, Fault>>) -> Result<(), Trouble> {
        let mut clock = self.child.clock();
        let mut cancelled = false;
        loop {
            let (doing, mut bound) = self.bound(&watch);
            if cancelled {
                bound += self.limits.stop;
            }
            let frame = tokio::select! {
                frame = self.child.frame() => frame.map_err(|trouble| watch.blame(trouble))?,
                () = steps.closed(), if !cancelled => {
                    cancelled = true;
                    self.child.send(&ToWorker::Cancel { job: watch.job }, self.limits.stop).await?;
                    continue;
                }
                () = clock.passed(bound) => return Err(Trouble::hung(doing, bound)),
            };
            let (took, disturbed) = clock.took();
            let step = watch.check(frame, took).map_err(Trouble::breach)?;
            if let Some(Seen::Step(Step::Prefilled { .. })) = &step
                && !disturbed
            {
                let each = took / watch.to_read().max(1);
                self.prefill_per_token = Some(self.prefill_per_token.map_or(each, |slowest| slowest.max(each)));
            }
            let over = match step {
                None => false,
                Some(Seen::Cancelled) if cancelled => true,
                Some(Seen::Cancelled) => return Err(Trouble::breach("it stopped without being told")),
                Some(Seen::Failed(fault)) => {
                    let _ = steps.send(Err(believable(fault)?)).await;
                    true
                }
                Some(Seen::Step(step)) => {
                    let last = matches!(step, Step::Done { .. });
                    // A closed channel is noticed above.
                    let _ = steps.send(Ok(step)).await;
                    last
                }
            };
            if over {
                return Ok(());
            }
            clock.restart();
        }
    }

    /// What the worker is doing, and how long it may take.
    fn bound(&self, watch: &Watch) -> (&'static str, Duration) {
        let limits = &self.limits;
        match watch.phase {
            Phase::Tokenizing => ("reading a request", limits.tokenize),
            Phase::Prefilling { .. } => {
                let known = self.prefill_per_token.map(|slowest| slowest.saturating_mul(PREFILL_SLACK));
                let each = known.unwrap_or(limits.prefill_per_token).min(limits.prefill_per_token);
                ("reading a prompt", limits.prefill + each.saturating_mul(watch.to_read()))
            }
            Phase::Answering { .. } => ("computing a token", limits.token),
        }
    }
}

/// What one answer's frames must look like.
#[derive(Debug)]
pub(crate) struct Watch {
    job: u64,
    phase: Phase,
    next: u32,
    prefix: u32,
    tokens_max: u32,
    logprobs: Option<u8>,
    context: u32,
    vocabulary: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Tokenizing,
    Prefilling { prompt_tokens: u32 },
    Answering { prompt_tokens: u32 },
}

/// A frame that is as it should be.
#[derive(Debug)]
pub(crate) enum Seen {
    Step(Step),
    Cancelled,
    Failed(Fault),
}

impl Watch {
    pub(crate) fn new(job: u64, request: &GenerateRequest, info: &WorkerInfo) -> Self {
        let Sampling { max_tokens, logprobs, .. } = request.sampling;
        let prefix = request.prefix.len() as u32;
        Self {
            job,
            phase: Phase::Tokenizing,
            next: prefix,
            prefix,
            tokens_max: max_tokens,
            logprobs,
            context: info.context,
            vocabulary: info.vocabulary,
        }
    }

    /// Before it says how long the prompt is, a worker does nothing but render the template and cut the text up.
    fn blame(&self, trouble: Trouble) -> Trouble {
        match (trouble, self.phase) {
            (Trouble::Gone, Phase::Tokenizing) => Trouble::GoneReading(Part::Template),
            (trouble, _) => trouble,
        }
    }

    /// Tokens that the prefill reads.
    const fn to_read(&self) -> u32 {
        match self.phase {
            Phase::Tokenizing => 0,
            Phase::Prefilling { prompt_tokens } | Phase::Answering { prompt_tokens } => prompt_tokens + self.prefix,
        }
    }

    /// The frame as a step, or what is wrong with it.
    pub(crate) fn check(&mut self, frame: FromWorker, took: Duration) -> Result<Option<Seen>, String> {
        let (job, seen) = match (frame, self.phase) {
            (FromWorker::Accepted { job, prompt_tokens }, Phase::Tokenizing) if prompt_tokens < self.context => {
                self.phase = Phase::Prefilling { prompt_tokens };
                (job, None)
            }
            (FromWorker::Prefilled { job }, Phase::Prefilling { prompt_tokens }) => {
                self.phase = Phase::Answering { prompt_tokens };
                (job, Some(Seen::Step(Step::Prefilled { prompt_tokens, took })))
            }
            (FromWorker::Token { job, token }, Phase::Answering { .. }) => {
                self.check_token(&token)?;
                self.next += 1;
                (job, Some(Seen::Step(Step::Token(token))))
            }
            (FromWorker::Done { job, finish, usage, tail }, Phase::Answering { prompt_tokens }) => {
                self.check_done(usage, &tail, prompt_tokens)?;
                (job, Some(Seen::Step(Step::Done { finish, usage, tail })))
            }
            (FromWorker::Cancelled { job }, Phase::Prefilling { .. } | Phase::Answering { .. }) => {
                (job, Some(Seen::Cancelled))
            }
            (FromWorker::Failed { job, fault }, _) => (job, Some(Seen::Failed(fault))),
            _ => return Err("a frame came that has no place here".into()),
        };
        if job == self.job { Ok(seen) } else { Err("a frame came for another answer".into()) }
    }

    fn check_token(&self, token: &Token) -> Result<(), String> {
        if token.position != self.next {
            return Err(format!("token {} came where {} was next", token.position, self.next));
        }
        if token.position >= self.tokens_max {
            return Err(format!("more tokens came than the {} asked for", self.tokens_max));
        }
        if token.id >= self.vocabulary {
            return Err(format!("token id {} is outside the vocabulary of {}", token.id, self.vocabulary));
        }
        if token.text.len() > TEXT_BYTES_MAX {
            return Err(format!("a token brought {} bytes of text", token.text.len()));
        }
        if token.logprob.is_some() != self.logprobs.is_some() || token.top.len() > self.logprobs.unwrap_or(0).into() {
            return Err("probabilities came that were not asked for, or none that were".into());
        }
        let sound = |of: &TokenLogprob| {
            of.id < self.vocabulary && of.bytes.len() <= TEXT_BYTES_MAX && (-1e5..=1e-3).contains(&of.logprob)
        };
        if !token.logprob.iter().all(|own| own.id == token.id) || !token.logprob.iter().chain(&token.top).all(sound) {
            return Err("a probability is none".into());
        }
        Ok(())
    }

    fn check_done(&self, usage: Usage, tail: &str, prompt_tokens: u32) -> Result<(), String> {
        // A prefix may hold the end already, so that fewer tokens count than were given.
        let counted =
            usage.completion_tokens == self.next || (self.next == self.prefix && usage.completion_tokens < self.prefix);
        if usage.prompt_tokens != prompt_tokens || !counted {
            return Err("an answer's end counts other tokens than came".into());
        }
        if tail.len() > TEXT_BYTES_MAX {
            return Err(format!("an answer's end brought {} bytes of text", tail.len()));
        }
        Ok(())
    }
}
