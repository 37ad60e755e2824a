//! A job's life at its submitter. The machine alone numbers epochs and decides which tokens count.
//!
//! Drive it like this: perform the outputs of [`Job::new`] and of every [`Job::handle`] in order, and call
//! `handle(now, Input::Tick)` when [`Job::deadline`] has passed. After [`Job::is_over`] nothing comes out any more.

use std::collections::BTreeMap;

use lull_types::{Code, Epoch, Fault, FinishReason, Token, Usage};

use crate::Millis;

/// The most runs of one job, the first included.
pub const ATTEMPTS_MAX: u32 = 2;
/// How long the relay may take to find a lender, in milliseconds: longer than it lets a job wait.
pub const ASK_MAX_MS: u64 = 150_000;
/// How long a lender may take to read the prompt without a sign, in milliseconds.
pub const PREFILL_SILENCE_MAX_MS: u64 = 600_000;
/// How long a lender may be silent between two tokens, in milliseconds.
pub const TOKEN_SILENCE_MAX_MS: u64 = 60_000;

/// What happens to a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The relay says that it waits.
    Queued {
        /// Jobs before it.
        ahead: u32,
    },
    /// The relay granted a lender.
    Granted {
        /// The run.
        epoch: Epoch,
    },
    /// There will be no lender; or the relay cannot be asked.
    Refused {
        /// The run.
        epoch: Epoch,
        /// Why.
        fault: Fault,
    },
    /// An opened answer frame.
    Frame {
        /// The run that the frame itself names.
        epoch: Epoch,
        /// What it says.
        answer: Answer,
    },
    /// A run's stream ended without a last frame, could not be opened or broke its seal.
    StreamEnded {
        /// The run.
        epoch: Epoch,
        /// Why.
        fault: Fault,
    },
    /// Whoever asked went away.
    CancelledByUser,
    /// Time has passed.
    Tick,
}

/// What an answer frame says.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The prompt is read.
    Prefilled {
        /// Its real length, in tokens.
        prompt_tokens: u32,
    },
    /// One token.
    Token(Token),
    /// The end.
    Done {
        /// Why.
        finish: FinishReason,
        /// What the lender counted.
        usage: Usage,
        /// Text held back for a stop string that never came.
        tail: String,
    },
    /// The lender gives up.
    Failed(Fault),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Ask the relay for a lender for this run.
    Ask {
        /// The run.
        epoch: Epoch,
    },
    /// Tell the relay that the job is given up.
    Withdraw,
    /// Verify the lender, seal the question with [`Job::prefix`] and open the stream.
    OpenAttempt {
        /// The run.
        epoch: Epoch,
    },
    /// Tell whoever asked.
    Emit(Emit),
    /// Sign and send this word on a run.
    SendReceipt {
        /// The run.
        epoch: Epoch,
        /// What this side counted.
        usage: Usage,
        /// How it ended.
        outcome: Outcome,
    },
    /// Let go of a run's stream and grant, if there is one: reset it if it has not ended by itself.
    Close {
        /// The run.
        epoch: Epoch,
    },
}

/// What whoever asked gets to see; times and names are added outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Emit {
    /// It waits.
    Queued {
        /// Jobs before it.
        ahead: u32,
    },
    /// A lender has it.
    Started {
        /// The run.
        epoch: Epoch,
    },
    /// One more token: each position exactly once, in order.
    Token(Token),
    /// Text held back for a stop string that never came.
    Tail(String),
    /// The answer is whole.
    Done {
        /// Why it ended.
        finish: FinishReason,
        /// What it cost, the answer counted here.
        usage: Usage,
    },
    /// The answer will not come, or not go on.
    Failed(Fault),
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With a whole answer.
    Completed,
    /// Whoever asked went away, or another run was faster.
    Cancelled,
    /// Otherwise.
    Failed(Code),
}

/// One job at its submitter.
#[derive(Debug)]
pub struct Job {
    max_tokens: u32,
    /// The last run that was asked for.
    epoch: Epoch,
    /// Since when the relay is being asked for `epoch`.
    asking: Option<Millis>,
    /// The runs whose streams are open.
    runs: BTreeMap<Epoch, Run>,
    /// The run whose token was accepted last: older ones are fenced off.
    fence: Option<Epoch>,
    accepted: Vec<u32>,
    prompt_tokens: u32,
    over: bool,
}

#[derive(Debug)]
struct Run {
    last_sign: Millis,
    prefilled: bool,
}

impl Run {
    fn deadline(&self) -> Millis {
        self.last_sign.plus(if self.prefilled { TOKEN_SILENCE_MAX_MS } else { PREFILL_SILENCE_MAX_MS })
    }
}

impl Job {
    /// A job whose answer may have `max_tokens` tokens, and what to do first.
    #[must_use]
    pub fn new(now: Millis, max_tokens: u32) -> (Self, Vec<Output>) {
        let job = Self {
            max_tokens,
            epoch: Epoch::FIRST,
            asking: Some(now),
            runs: BTreeMap::new(),
            fence: None,
            accepted: Vec::new(),
            prompt_tokens: 0,
            over: false,
        };
        (job, vec![Output::Ask { epoch: Epoch::FIRST }])
    }

    /// The last run that was asked for.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The ids of the tokens accepted so far: a new run goes on after them.
    #[must_use]
    pub fn prefix(&self) -> &[u32] {
        &self.accepted
    }

    /// What this side has counted so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let completion_tokens = u32::try_from(self.accepted.len()).unwrap_or(u32::MAX);
        Usage { prompt_tokens: self.prompt_tokens, completion_tokens }
    }

    /// Whether the last event has been emitted.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// When [`Input::Tick`] is due, if ever.
    #[must_use]
    pub fn deadline(&self) -> Option<Millis> {
        let asking = self.asking.map(|since| since.plus(ASK_MAX_MS));
        self.runs.values().map(Run::deadline).chain(asking).min()
    }

    /// Takes one step.
    #[must_use]
    pub fn handle(&mut self, now: Millis, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        if self.over {
            return out;
        }
        match input {
            Input::Queued { ahead } if self.asking.is_some() => out.push(Output::Emit(Emit::Queued { ahead })),
            Input::Queued { .. } => {}
            Input::Granted { epoch } => self.granted(now, epoch, &mut out),
            Input::Refused { epoch, fault } => self.refused(epoch, fault, &mut out),
            Input::Frame { epoch, answer } => self.frame(now, epoch, answer, &mut out),
            Input::StreamEnded { epoch, fault } => self.run_failed(now, epoch, fault, &mut out),
            Input::CancelledByUser => {
                let fault = Fault::new(Code::Cancelled, "the question was taken back");
                self.end(Outcome::Cancelled, Emit::Failed(fault), &mut out);
            }
            Input::Tick => self.tick(now, &mut out),
        }
        out
    }

    fn granted(&mut self, now: Millis, epoch: Epoch, out: &mut Vec<Output>) {
        if self.asking.is_none() || epoch != self.epoch {
            out.push(Output::Close { epoch });
            return;
        }
        self.asking = None;
        self.runs.insert(epoch, Run { last_sign: now, prefilled: false });
        out.push(Output::OpenAttempt { epoch });
        out.push(Output::Emit(Emit::Started { epoch }));
    }

    fn refused(&mut self, epoch: Epoch, fault: Fault, out: &mut Vec<Output>) {
        if self.asking.is_none() || epoch != self.epoch {
            return;
        }
        self.asking = None;
        if self.runs.is_empty() {
            self.end(Outcome::Failed(fault.code), Emit::Failed(fault), out);
        }
    }

    fn frame(&mut self, now: Millis, epoch: Epoch, answer: Answer, out: &mut Vec<Output>) {
        let Some(run) = self.runs.get_mut(&epoch) else { return };
        run.last_sign = now;
        match answer {
            Answer::Prefilled { prompt_tokens } => {
                run.prefilled = true;
                self.prompt_tokens = prompt_tokens;
            }
            Answer::Token(token) => {
                run.prefilled = true;
                self.token(now, epoch, token, out);
            }
            Answer::Done { finish, usage, tail } => {
                self.prompt_tokens = usage.prompt_tokens;
                self.win(epoch, out);
                if !tail.is_empty() {
                    out.push(Output::Emit(Emit::Tail(tail)));
                }
                let done = Emit::Done { finish, usage: self.usage() };
                self.end(Outcome::Completed, done, out);
            }
            Answer::Failed(fault) => self.run_failed(now, epoch, fault, out),
        }
    }

    fn token(&mut self, now: Millis, epoch: Epoch, token: Token, out: &mut Vec<Output>) {
        let next = self.accepted.len();
        if token.position as usize != next || next >= self.max_tokens as usize {
            let text = format!("the lender sent token {} where {next} of {} belongs", token.position, self.max_tokens);
            self.run_failed(now, epoch, Fault::new(Code::BadFrame, text), out);
            return;
        }
        self.win(epoch, out);
        self.accepted.push(token.id);
        out.push(Output::Emit(Emit::Token(token)));
    }

    /// The first run to speak is the one that counts: the others, older or newer, are let go.
    fn win(&mut self, epoch: Epoch, out: &mut Vec<Output>) {
        self.fence = self.fence.max(Some(epoch));
        if self.asking.take().is_some() {
            out.push(Output::Withdraw);
        }
        let usage = Usage::default();
        while let Some(&loser) = self.runs.keys().find(|other| **other != epoch) {
            self.runs.remove(&loser);
            out.push(Output::Close { epoch: loser });
            out.push(Output::SendReceipt { epoch: loser, usage, outcome: Outcome::Cancelled });
        }
    }

    fn run_failed(&mut self, now: Millis, epoch: Epoch, fault: Fault, out: &mut Vec<Output>) {
        if self.runs.remove(&epoch).is_none() {
            return;
        }
        let usage = if self.fence == Some(epoch) { self.usage() } else { Usage::default() };
        out.push(Output::Close { epoch });
        out.push(Output::SendReceipt { epoch, usage, outcome: Outcome::Failed(fault.code) });
        if !self.runs.is_empty() || self.asking.is_some() {
            return;
        }
        if self.may_retry(fault.code) {
            self.epoch = self.epoch.next();
            self.asking = Some(now);
            out.push(Output::Ask { epoch: self.epoch });
        } else {
            let fault = self.last_word(fault);
            self.end(Outcome::Failed(fault.code), Emit::Failed(fault), out);
        }
    }

    /// A lost lender is replaced only before its first token. To go on after tokens, drop the first condition: the
    /// prefix is kept, and tokens of the next run are accepted from there.
    fn may_retry(&self, code: Code) -> bool {
        self.accepted.is_empty() && self.epoch.0 < ATTEMPTS_MAX && another_lender_may_do(code)
    }

    fn last_word(&self, fault: Fault) -> Fault {
        let went_away = matches!(fault.code, Code::LenderLost | Code::Yielding);
        if !went_away || self.accepted.is_empty() {
            return fault;
        }
        let text = format!(
            "the machine that was answering {} after {} tokens: what came so far is right, ask again for the rest",
            if fault.code == Code::Yielding { "was given back to its owner" } else { "went away" },
            self.accepted.len()
        );
        Fault::new(fault.code, text)
    }

    fn tick(&mut self, now: Millis, out: &mut Vec<Output>) {
        if self.asking.is_some_and(|since| since.plus(ASK_MAX_MS) <= now) {
            self.asking = None;
            out.push(Output::Withdraw);
            if self.runs.is_empty() {
                let fault = Fault::new(Code::Timeout, "the relay found no lender in time: try again later");
                self.end(Outcome::Failed(Code::Timeout), Emit::Failed(fault), out);
                return;
            }
        }
        let silent: Vec<Epoch> =
            self.runs.iter().filter(|(_, run)| run.deadline() <= now).map(|(epoch, _)| *epoch).collect();
        for epoch in silent {
            let fault = Fault::new(Code::LenderLost, "the machine that was answering gave no sign for too long");
            self.run_failed(now, epoch, fault, out);
        }
    }

    fn end(&mut self, outcome: Outcome, last: Emit, out: &mut Vec<Output>) {
        if self.asking.take().is_some() {
            out.push(Output::Withdraw);
        }
        while let Some((epoch, _)) = self.runs.pop_first() {
            let mine = self.fence == Some(epoch) || outcome == Outcome::Completed;
            let usage = if mine { self.usage() } else { Usage::default() };
            out.push(Output::Close { epoch });
            out.push(Output::SendReceipt { epoch, usage, outcome });
        }
        out.push(Output::Emit(last));
        self.over = true;
    }
}

/// Whether the same question may well succeed on another machine.
const fn another_lender_may_do(code: Code) -> bool {
    matches!(
        code,
        Code::LenderLost
            | Code::Yielding
            | Code::LenderRefused
            | Code::LenderUntrusted
            | Code::WorkerDied
            | Code::WorkerHung
            | Code::WorkerMemory
            | Code::WorkerProtocol
            | Code::Unconfined
            | Code::Forbidden
            | Code::ModelBroken
            | Code::BadSeal
            | Code::BadFrame
            | Code::Expired
            | Code::Timeout
            | Code::Internal
    )
}

#[cfg(test)]
#[path = "job_tests.rs"]
mod tests;
