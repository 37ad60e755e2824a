//! One job at its lender: from the stream's first byte to the last frame.

use std::{pin::pin, sync::Arc, time::Duration};

use lull_engine::{GenerateRequest, Generation, Step};
use lull_seal::{AnswerSealer, SealingKey};
use lull_types::{Code, Epoch, Fault, FinishReason, Usage};
use lull_wire::{
    Signed, frame,
    job::{
        AnswerBody, AnswerFrame, AnswerStatement, HEADER_BYTES_MAX, JobHeader, Outcome, OutputHash, QUESTION_BYTES_MAX,
        Question, StreamEnd,
    },
};
use quinn::{RecvStream, SendStream, VarInt};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    booking::Claimed,
    fault::stopping,
    hardware,
    identity::Identity,
    lender,
    rulebook::{Proved, Rulebook},
    shelf::LocalModel,
    speed::Measured,
    stance::{Stance, yielding},
    supervise::{Order, Run},
};

/// The longest wait for a job's header.
const HEADER_MAX: Duration = Duration::from_secs(10);
/// The longest wait for a whole question, however slow the line.
const QUESTION_MAX: Duration = Duration::from_secs(120);
/// A share of the time spent waiting for a slow reader, above which a run says nothing about the machine's speed.
const BLOCKED_SHARE_MAX: f32 = 0.1;

/// A stream that the relay opened.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) send: SendStream,
    pub(crate) receive: RecvStream,
}

/// What a claimed job may use.
#[derive(Debug)]
pub(crate) struct Permit {
    pub(crate) claimed: Claimed,
    pub(crate) model: LocalModel,
    pub(crate) orders: mpsc::Sender<Order>,
    /// The relay's or the node's word to stop.
    pub(crate) cancel: CancellationToken,
    /// The owner's word to stop: whoever asked is told, and looks for another machine.
    pub(crate) yielded: CancellationToken,
    pub(crate) stance: watch::Receiver<Stance>,
    /// Of a job that has a worker to itself.
    pub(crate) alone: Option<Alone>,
    pub(crate) rulebook: Rulebook,
    pub(crate) identity: Arc<Identity>,
}

impl Permit {
    /// Whether this may run here, for whoever asks.
    fn allows(&self, asker: &Proved) -> Result<(), Fault> {
        self.rulebook.may_serve(&self.claimed.grant.label, &self.model.name, &self.model.hash, Some(asker))
    }
}

/// Tells the slot, by being dropped, that the job which had its worker to itself is over.
#[derive(Debug)]
pub(crate) struct Alone {
    over: CancellationToken,
    _told_by: DropGuard,
}

impl Alone {
    pub(crate) fn new() -> Self {
        let over = CancellationToken::new();
        Self { _told_by: over.clone().drop_guard(), over }
    }
}

/// What a claimed job came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) usage: Usage,
    pub(crate) outcome: Outcome,
    pub(crate) measured: Measured,
}

/// Runs one stream; `None` if nothing was claimed.
pub(crate) async fn lend(
    mut stream: Stream,
    lender: mpsc::WeakSender<lender::Command>,
    sealing: Arc<SealingKey>,
) -> Option<Ended> {
    let (header, permit) = match claim(&mut stream.receive, &lender).await {
        Ok(claimed) => claimed,
        Err(fault) => {
            tracing::warn!(code = %fault.code, reason = fault.message, "a job was refused");
            close(&mut stream, StreamEnd::Refused);
            return None;
        }
    };
    let cancel = permit.cancel.clone();
    let opened = tokio::select! {
        () = cancel.cancelled() => Err(Fault::new(Code::Cancelled, "the job was taken back")),
        opened = read_question(&mut stream.receive, &header, &permit, &sealing) => opened,
    };
    let (question, sealer) = match opened {
        Ok(opened) => opened,
        Err(fault) => {
            tracing::warn!(job = %permit.claimed.grant.job, code = %fault.code, "a question was not accepted");
            close(&mut stream, StreamEnd::Refused);
            let outcome = Outcome::Failed(fault.code);
            return Some(Ended { usage: Usage::default(), outcome, measured: Measured::default() });
        }
    };
    let asker = permit.rulebook.prove(question.asker.as_ref(), &header.grant);
    let answer = Answer::new(stream, sealer, permit.claimed.grant.epoch);
    Some(answer.give(question, asker, permit).await)
}

async fn claim(
    receive: &mut RecvStream,
    lender: &mpsc::WeakSender<lender::Command>,
) -> Result<(JobHeader, Permit), Fault> {
    let bad = |why: &str| Fault::new(Code::BadFrame, format!("a job's stream began with {why}"));
    let header = timeout(HEADER_MAX, frame::read::<JobHeader, _>(receive, HEADER_BYTES_MAX)).await;
    let header = header.map_err(|_| bad("nothing for too long"))?.map_err(|error| bad(&error.to_string()))?;
    let header = header.ok_or_else(|| bad("its end"))?;
    let (reply, answer) = oneshot::channel();
    let task = tokio::task::id();
    let claim = lender::Command::Claim { task, grant: header.grant.clone(), reply };
    lender.upgrade().ok_or_else(stopping)?.send(claim).await.map_err(|_| stopping())?;
    let permit = answer.await.map_err(|_| stopping())??;
    Ok((header, permit))
}

async fn read_question(
    receive: &mut RecvStream,
    header: &JobHeader,
    permit: &Permit,
    sealing: &SealingKey,
) -> Result<(Question, AnswerSealer), Fault> {
    let late = |_| Fault::new(Code::Timeout, "the question did not arrive in time");
    let broken = |why: &str| Fault::new(Code::BadFrame, format!("the question did not arrive whole ({why})"));
    let body = timeout(QUESTION_MAX, frame::read_bytes(receive, QUESTION_BYTES_MAX)).await.map_err(late)?;
    let body = body.map_err(|error| broken(&error.to_string()))?.ok_or_else(|| broken("it is missing"))?;
    let grant = &permit.claimed.grant;
    lull_seal::open_question(&header.grant, &grant.submitter_key, &body, sealing).map_err(|error| {
        Fault::new(Code::BadSeal, format!("the question was not sealed for this machine and grant ({error})"))
    })
}

fn close(stream: &mut Stream, end: StreamEnd) {
    let code = VarInt::from_u32(end as u32);
    // Both fail only on a stream that is over anyway.
    let _ = stream.send.reset(code);
    let _ = stream.receive.stop(code);
}

/// An answer on its way.
struct Answer {
    stream: Stream,
    sealer: AnswerSealer,
    epoch: Epoch,
    usage: Usage,
    output: OutputHash,
    measured: Measured,
    first_token: Option<Instant>,
    blocked: Duration,
}

/// Why an answer ended before its time.
enum Stop {
    /// Nobody wants it any more.
    Cancelled,
    Failed(Fault),
    /// The owner is back, and a frame is half written.
    Torn,
    /// The rules forbid it now, and a frame may be half written.
    Forbidden,
}

impl Answer {
    fn new(stream: Stream, sealer: AnswerSealer, epoch: Epoch) -> Self {
        let (usage, measured) = (Usage::default(), Measured::default());
        Self {
            stream,
            sealer,
            epoch,
            usage,
            output: OutputHash::after(&[]),
            measured,
            first_token: None,
            blocked: Duration::ZERO,
        }
    }

    async fn give(mut self, question: Question, asker: Result<Proved, Fault>, permit: Permit) -> Ended {
        let job = permit.claimed.grant.job;
        let given = match asker {
            Ok(asker) => self.under_the_rules(question, &asker, &permit).await,
            Err(fault) => Err(Stop::Failed(fault)),
        };
        // A worker that was ended for its owner's sake died of that, whatever came first.
        let given = match given {
            Err(Stop::Failed(_)) if permit.yielded.is_cancelled() => Err(Stop::Failed(yielding())),
            given => given,
        };
        let outcome = match given {
            Ok(()) => Outcome::Completed,
            Err(Stop::Cancelled) => {
                close(&mut self.stream, StreamEnd::Cancelled);
                Outcome::Cancelled
            }
            Err(Stop::Forbidden) => {
                close(&mut self.stream, StreamEnd::Forbidden);
                Outcome::Failed(Code::Forbidden)
            }
            Err(Stop::Torn) => {
                close(&mut self.stream, StreamEnd::LenderLost);
                Outcome::Failed(Code::Yielding)
            }
            Err(Stop::Failed(fault)) => {
                // The sentence may come from the worker, which holds content: it is for the one who asked, not for a log.
                tracing::warn!(%job, code = %fault.code, "an answer failed");
                let code = fault.code;
                if self.send(AnswerBody::Failed(fault), true).await.is_err() {
                    close(&mut self.stream, StreamEnd::LenderLost);
                }
                Outcome::Failed(code)
            }
        };
        tracing::debug!(%job, tokens = self.usage.completion_tokens, ?outcome, "a lent job is over");
        Ended { usage: self.usage, outcome, measured: self.measured }
    }

    /// Answers for as long as the rules let it.
    async fn under_the_rules(&mut self, question: Question, asker: &Proved, permit: &Permit) -> Result<(), Stop> {
        let mut rulebook = permit.rulebook.clone();
        permit.allows(asker).map_err(Stop::Failed)?;
        let forbidden = async {
            loop {
                rulebook.changed().await;
                if let Err(fault) = permit.allows(asker) {
                    return fault;
                }
            }
        };
        let answering = async {
            let generation = self.generate(question, permit).await?;
            self.forward(generation, permit).await
        };
        let torn = tokio::select! {
            biased;
            given = answering => return given,
            fault = forbidden => fault,
        };
        // A frame may be half written: what comes after it could not be read.
        tracing::warn!(job = %permit.claimed.grant.job, code = %torn.code, reason = torn.message, "a job was stopped");
        Err(Stop::Forbidden)
    }

    /// Has the slot's worker begin; the wait for a model to load counts, and can be cancelled.
    async fn generate(&mut self, question: Question, permit: &Permit) -> Result<Generation, Stop> {
        let Question { messages, sampling, prefix, asker: _ } = question;
        self.output = OutputHash::after(&prefix);
        if sampling.max_tokens > permit.claimed.max_tokens {
            let text = "the question asks for a longer answer than was reserved; ask again";
            return Err(Stop::Failed(Fault::new(Code::BadRequest, text)));
        }
        let (reply, generation) = oneshot::channel();
        let request = GenerateRequest { messages, sampling, prefix };
        let alone = permit.alone.as_ref().map(|alone| alone.over.clone());
        let run = Run { model: permit.model.clone(), request, alone, reply };
        permit.orders.send(Order::Run(run)).await.map_err(|_| Stop::Failed(stopping()))?;
        self.send(AnswerBody::Prefilled { prompt_tokens: 0, machine: hardware::kind() }, false).await?;
        tokio::select! {
            () = unwanted(&mut self.stream, &permit.cancel) => Err(Stop::Cancelled),
            () = permit.yielded.cancelled() => Err(Stop::Failed(yielding())),
            generation = generation => match generation {
                Ok(generation) => generation.map_err(Stop::Failed),
                Err(_) => Err(Stop::Failed(stopping())),
            },
        }
    }

    /// Sends each step as it comes; leaving drops the generation, which stops the worker within one token.
    async fn forward(&mut self, mut generation: Generation, permit: &Permit) -> Result<(), Stop> {
        let Permit { cancel, yielded, .. } = permit;
        let still_before = stood_still(&permit.stance);
        loop {
            let step = tokio::select! {
                () = unwanted(&mut self.stream, cancel) => return Err(Stop::Cancelled),
                () = yielded.cancelled() => return Err(Stop::Failed(yielding())),
                step = generation.next() => step,
            };
            let step = step.ok_or_else(|| Fault::new(Code::Internal, "the worker's answer has no end; ask again"));
            let (body, last) = match step.and_then(|step| step).map_err(Stop::Failed)? {
                Step::Prefilled { prompt_tokens, took } => {
                    self.usage.prompt_tokens = prompt_tokens;
                    if stood_still(&permit.stance) == still_before {
                        self.measured = Measured { prompt_tokens, prefill: took, ..self.measured };
                    }
                    (AnswerBody::Prefilled { prompt_tokens, machine: String::new() }, false)
                }
                Step::Token(token) => {
                    self.usage.completion_tokens += 1;
                    self.first_token.get_or_insert_with(Instant::now);
                    self.output.push(&token);
                    (AnswerBody::Token(token), false)
                }
                Step::Done { finish, usage, tail } => {
                    self.usage = usage;
                    if stood_still(&permit.stance) == still_before {
                        self.measure();
                    }
                    let signed = self.statement(permit, finish, &tail);
                    (AnswerBody::Done { finish, usage, tail, signed }, true)
                }
            };
            let writing = Instant::now();
            tokio::select! {
                () = cancel.cancelled() => return Err(Stop::Cancelled),
                () = yielded.cancelled() => return Err(Stop::Torn),
                sent = self.send(body, last) => sent?,
            }
            self.blocked += writing.elapsed();
            if last {
                return Ok(());
            }
        }
    }

    /// This machine's word on the whole answer.
    fn statement(&self, permit: &Permit, finish: FinishReason, tail: &str) -> Option<Signed<AnswerStatement>> {
        let grant = &permit.claimed.grant;
        let output_sha256 = self.output.clone().finish(finish, tail);
        let statement = AnswerStatement { job: grant.job, epoch: grant.epoch, model: grant.model, output_sha256 };
        Signed::sign(&statement, &permit.identity.key).ok()
    }

    async fn send(&mut self, body: AnswerBody, last: bool) -> Result<(), Stop> {
        let frame = self.sealer.seal(&AnswerFrame { epoch: self.epoch, body }, last).map_err(|error| {
            Stop::Failed(Fault::new(Code::Internal, format!("an answer cannot be sealed: {error}")))
        })?;
        self.stream.send.write_all(&frame).await.map_err(|_| Stop::Cancelled)?;
        if last {
            // It fails only on a stream that is over anyway.
            let _ = self.stream.send.finish();
        }
        Ok(())
    }

    fn measure(&mut self) {
        let Some(first) = self.first_token else { return };
        let decode = first.elapsed();
        if self.blocked < decode.mul_f32(BLOCKED_SHARE_MAX) {
            // The first token belongs to the prefill.
            let decoded_tokens = self.usage.completion_tokens.saturating_sub(1);
            self.measured = Measured { decoded_tokens, decode, ..self.measured };
        }
    }
}

/// A run that stood still says nothing about the machine's speed.
fn stood_still(stance: &watch::Receiver<Stance>) -> (bool, Duration) {
    let stance = stance.borrow();
    (stance.frozen, stance.stood_still)
}

/// Resolves when nobody wants the answer any more: the other side stopped or reset the stream, the connection is gone,
/// or the relay or the node said so.
async fn unwanted(stream: &mut Stream, cancel: &CancellationToken) {
    let mut stopped = pin!(stream.send.stopped());
    let reset = async {
        // A stream that was finished cannot be reset any more.
        if let Ok(None) = stream.receive.received_reset().await {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = cancel.cancelled() => {}
        _ = &mut stopped => {}
        () = reset => {}
    }
}
