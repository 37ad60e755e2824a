//! One question's life: performs what the pure job machine decides, and tells it what happens.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use lull_core::{
    Millis,
    job::{Answer, Emit, Input, Job, Outcome, Output},
};
use lull_seal::EphemeralKey;
use lull_types::{Answered, ChatEvent, ChatRequest, Code, Epoch, Fault, JobId, JobTimings, ModelHash, Usage};
use lull_wire::{
    Signed,
    control::{FromNode, Submit},
    job::{self, Receipt, Side},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    attempt::{self, Attempt, Heard, Sealed},
    clock::now_s,
    fault::stopping,
    link::LinkState,
    session::Session,
    submitter::{FromRelay, Granted, Sight},
    trust::{self, Asked, Law},
    used::Used,
    validate,
};

/// How long a question waits for a relay that is away: long enough for one that restarts.
const LINK_WAIT: Duration = Duration::from_secs(10);
/// Opened frames that may wait for the job; after that the lender waits.
const FRAMES_MAX: usize = 16;

/// The task that drives one job.
pub(crate) struct Driver {
    job: JobId,
    request: Arc<ChatRequest>,
    sight: Sight,
    events: mpsc::Sender<ChatEvent>,
    messages: mpsc::Receiver<FromRelay>,
    frames: (mpsc::Sender<Heard>, mpsc::Receiver<Heard>),
    started: Instant,
    timings: JobTimings,
    asking: Option<Asking>,
    granted: BTreeMap<Epoch, (EphemeralKey, Box<Granted>)>,
    runs: BTreeMap<Epoch, Run>,
    /// The bytes that the first run's lender has under the model's name: every later run must use the same.
    model: Option<ModelHash>,
    /// What an earlier run met that people must hear of: a later refusal must not hide it.
    distrust: Option<Fault>,
}

/// A run for which there is no grant yet.
struct Asking {
    epoch: Epoch,
    key: EphemeralKey,
    /// Where it was asked; `None` while there is no relay to ask.
    on: Option<Session>,
    /// Until when a relay must have come back.
    until: Instant,
}

struct Run {
    by: Answered,
    /// Whoever asks has been told of it: that waits for the lender's first word, which says what kind of machine it is.
    told: bool,
    /// Lets go of the stream when dropped.
    _let_go: DropGuard,
}

impl Driver {
    pub(crate) fn new(
        job: JobId,
        request: ChatRequest,
        sight: Sight,
        events: mpsc::Sender<ChatEvent>,
        messages: mpsc::Receiver<FromRelay>,
    ) -> Self {
        Self {
            job,
            request: Arc::new(request),
            sight,
            events,
            messages,
            frames: mpsc::channel(FRAMES_MAX),
            started: Instant::now(),
            timings: JobTimings::default(),
            asking: None,
            granted: BTreeMap::new(),
            runs: BTreeMap::new(),
            model: None,
            distrust: None,
        }
    }

    /// Runs until the job is over, and says what it came to.
    pub(crate) async fn run(mut self) -> Used {
        let (mut machine, first) = Job::new(self.now(), self.request.sampling.max_tokens);
        let mut inputs = VecDeque::new();
        self.perform(first, &machine, &mut inputs).await;
        while !machine.is_over() {
            let input = match inputs.pop_front() {
                Some(input) => input,
                None => match self.next_input(&machine).await {
                    Some(input) => input,
                    None => {
                        self.leave().await;
                        return Used { answered: false, usage: machine.usage() };
                    }
                },
            };
            let input = self.notice(input, &machine);
            let outputs = machine.handle(self.now(), input);
            self.perform(outputs, &machine, &mut inputs).await;
        }
        tracing::debug!(job = %self.job, tokens = machine.usage().completion_tokens, "job over");
        // It ends with the answer, or without one.
        Used { answered: self.timings.total_us > 0, usage: machine.usage() }
    }

    fn notice(&mut self, input: Input, machine: &Job) -> Input {
        match input {
            // Before the first token another run may do, as after a lost lender, as soon as the relay is back.
            Input::StreamEnded { epoch, fault }
                if fault.code == Code::RelayUnreachable && machine.prefix().is_empty() =>
            {
                let text = "the connection to the relay was lost before the answer began; ask again";
                Input::StreamEnded { epoch, fault: Fault::new(Code::LenderLost, text) }
            }
            Input::StreamEnded { ref fault, .. } => {
                if matches!(fault.code, Code::LenderUntrusted | Code::BadSeal) {
                    self.distrust = Some(fault.clone());
                }
                input
            }
            Input::Refused { fault, epoch } => Input::Refused { fault: self.distrust.take().unwrap_or(fault), epoch },
            Input::CancelledByUser => {
                self.say(FromNode::Cancel { job: self.job });
                input
            }
            Input::Queued { .. } | Input::Granted { .. } | Input::Frame { .. } | Input::Tick => input,
        }
    }

    /// What happens next; `None` when the node stops.
    async fn next_input(&mut self, machine: &Job) -> Option<Input> {
        loop {
            if let Some(input) = self.ask() {
                return Some(input);
            }
            let deadline = machine.deadline().map(|at| self.started + Duration::from_millis(at.0));
            let away = self.asking.as_ref().filter(|asking| asking.on.is_none()).map(|asking| asking.until);
            let timer = deadline.into_iter().chain(away).min();
            tokio::select! {
                // Frames come before time: whoever reads slowly must not make a lender look silent.
                biased;
                () = self.sight.stop.cancelled() => return None,
                () = self.events.closed() => return Some(Input::CancelledByUser),
                Some(heard) = self.frames.1.recv() => {
                    if let Some(input) = self.begun(heard).await {
                        return Some(input);
                    }
                }
                Some(message) = self.messages.recv() => {
                    if let Some(input) = self.hear(message) {
                        return Some(input);
                    }
                }
                Ok(()) = self.sight.link.changed(), if self.asking.is_some() => {}
                () = at(timer) => {
                    if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                        return Some(Input::Tick);
                    }
                }
            }
        }
    }

    /// Says who has begun to answer, at its first word; what is left for the job machine.
    async fn begun(&mut self, heard: Heard) -> Option<Input> {
        let (epoch, machine, input) = match heard {
            Heard::Begun { epoch, machine } => (epoch, machine, None),
            Heard::Input(Input::Frame { epoch, answer }) => {
                // Nothing was begun by a lender that only refuses.
                if matches!(answer, Answer::Failed(_)) {
                    return Some(Input::Frame { epoch, answer });
                }
                (epoch, String::new(), Some(Input::Frame { epoch, answer }))
            }
            Heard::Input(input) => return Some(input),
        };
        if let Some(run) = self.runs.get_mut(&epoch).filter(|run| !run.told) {
            run.told = true;
            run.by.machine = machine;
            let event = ChatEvent::Started { job: self.job, by: run.by.clone() };
            if self.events.send(event).await.is_err() {
                return Some(Input::CancelledByUser);
            }
        }
        input
    }

    /// Asks the relay, as soon as there is one; says when there has been none for too long.
    fn ask(&mut self) -> Option<Input> {
        let asking = self.asking.as_mut()?;
        if asking.on.as_ref().is_some_and(|session| session.connection.close_reason().is_some()) {
            // The relay that was asked is gone, and what it knew of the job with it.
            asking.on = None;
            asking.until = Instant::now() + LINK_WAIT;
        }
        if asking.on.is_some() {
            return None;
        }
        let (epoch, late) = (asking.epoch, asking.until <= Instant::now());
        let fault = match &*self.sight.link.borrow_and_update() {
            LinkState::Up(session) if session.connection.close_reason().is_none() => {
                session.say(FromNode::Submit(Submit {
                    job: self.job,
                    epoch,
                    model: self.request.model.clone(),
                    label: self.request.label.clone(),
                    prompt_tokens: validate::estimate_tokens(&self.request),
                    max_tokens: self.request.sampling.max_tokens,
                    submitter_key: asking.key.public(),
                    check: None,
                }));
                asking.on = Some(session.clone());
                return None;
            }
            LinkState::Over(fault) => fault.clone(),
            LinkState::Down(fault) if late => fault.clone(),
            LinkState::Up(_) | LinkState::Down(_) => return None,
        };
        self.asking = None;
        Some(Input::Refused { epoch, fault })
    }

    fn hear(&mut self, message: FromRelay) -> Option<Input> {
        match message {
            FromRelay::Queued { ahead } => Some(Input::Queued { ahead }),
            FromRelay::Refused { epoch, reason } => {
                self.asking.take_if(|asking| asking.epoch == epoch);
                Some(Input::Refused { epoch, fault: reason })
            }
            FromRelay::Granted(granted) => {
                let epoch = granted.grant.claims().ok()?.epoch;
                // A grant that was not asked for is none.
                let asking = self.asking.take_if(|asking| asking.epoch == epoch)?;
                self.granted.insert(epoch, (asking.key, granted));
                self.timings.grant_us = self.elapsed_us();
                Some(Input::Granted { epoch })
            }
        }
    }

    async fn perform(&mut self, outputs: Vec<Output>, machine: &Job, inputs: &mut VecDeque<Input>) {
        for output in outputs {
            match output {
                Output::Ask { epoch } => {
                    let until = Instant::now() + LINK_WAIT;
                    self.asking = Some(Asking { epoch, key: EphemeralKey::generate(), on: None, until });
                }
                Output::Withdraw => {
                    self.asking = None;
                    self.say(FromNode::Cancel { job: self.job });
                }
                Output::OpenAttempt { epoch } => {
                    if let Err(fault) = self.open(epoch, machine.prefix()) {
                        inputs.push_back(Input::StreamEnded { epoch, fault });
                    }
                }
                Output::Emit(emit) => {
                    if let Some(event) = self.event(emit)
                        && self.events.send(event).await.is_err()
                    {
                        inputs.push_back(Input::CancelledByUser);
                    }
                }
                Output::SendReceipt { epoch, usage, outcome } => self.receipt(epoch, usage, outcome),
                Output::Close { epoch } => {
                    self.granted.remove(&epoch);
                    self.runs.remove(&epoch);
                }
            }
        }
    }

    /// Checks the lender and lets the question go to it.
    fn open(&mut self, epoch: Epoch, prefix: &[u32]) -> Result<(), Fault> {
        let internal = |text: &str| Fault::new(Code::Internal, text);
        let (key, granted) = self.granted.remove(&epoch).ok_or_else(|| internal("a run was opened without a grant"))?;
        let asked = Asked {
            job: self.job,
            epoch,
            label: self.request.label.clone(),
            name: self.request.model.clone(),
            submitter_key: key.public(),
            model: self.model,
        };
        let identity = self.sight.rulebook.identity.borrow().clone();
        let (rules, denied) = (self.sight.rulebook.org(), self.sight.rulebook.denied()?);
        let law = Law { rules: &rules, denied: &denied };
        let lender = trust::check_granted(&granted, &asked, &identity, law, now_s())
            .inspect_err(|fault| tracing::warn!(job = %self.job, code = %fault.code, "a grant was not accepted"))?;
        let session = self.sight.link.borrow().session().cloned().ok_or_else(|| {
            Fault::new(Code::LenderLost, "the relay went away just before the question was sent; ask again")
        })?;
        self.model = Some(lender.grant.model);
        let let_go = CancellationToken::new();
        let by = Answered {
            node: lender.device.node,
            name: lender.device.name.clone(),
            model: lender.grant.model,
            machine: String::new(),
        };
        let attempt = Attempt {
            epoch,
            request: self.request.clone(),
            prefix: prefix.to_vec(),
            lender: Sealed { device: lender.device.key, key: lender.key, model: lender.grant.model },
            asker: identity.member.as_ref().map(|member| member.asker(&granted.grant)),
            grant: granted.grant,
            key,
            connection: session.connection,
        };
        tokio::spawn(attempt::run(attempt, self.frames.0.clone(), let_go.clone()));
        self.runs.insert(epoch, Run { by, told: false, _let_go: let_go.drop_guard() });
        Ok(())
    }

    fn event(&mut self, emit: Emit) -> Option<ChatEvent> {
        Some(match emit {
            Emit::Queued { ahead } => ChatEvent::Queued { ahead },
            // Its lender has not said a word yet, and may not be trusted.
            Emit::Started { .. } => return None,
            Emit::Token(token) => {
                if self.timings.first_token_us == 0 {
                    self.timings.first_token_us = self.elapsed_us();
                }
                ChatEvent::Token(token)
            }
            Emit::Tail(text) => ChatEvent::Tail { text },
            Emit::Done { finish, usage } => {
                self.timings.total_us = self.elapsed_us();
                ChatEvent::Done { finish, usage, timings: self.timings }
            }
            Emit::Failed(fault) => ChatEvent::Failed(fault),
        })
    }

    fn receipt(&self, epoch: Epoch, usage: Usage, outcome: Outcome) {
        let outcome = match outcome {
            Outcome::Completed => job::Outcome::Completed,
            Outcome::Cancelled => job::Outcome::Cancelled,
            Outcome::Failed(code) => job::Outcome::Failed(code),
        };
        let identity = self.sight.rulebook.identity.borrow();
        let node = identity.device.node;
        let receipt = Receipt { job: self.job, epoch, node, side: Side::Submitter, usage, outcome };
        match Signed::sign(&receipt, &identity.key) {
            Ok(receipt) => self.say(FromNode::Receipt(receipt)),
            Err(error) => tracing::error!(job = %self.job, %error, "a receipt could not be signed"),
        }
    }

    /// The node stops: whoever asked hears of it, and the lender is let go.
    async fn leave(mut self) {
        self.say(FromNode::Cancel { job: self.job });
        self.runs.clear();
        // A reader that does not read must not keep the node from stopping.
        let _ = self.events.try_send(ChatEvent::Failed(stopping()));
    }

    fn say(&self, message: FromNode) {
        if let Some(session) = self.sight.link.borrow().session() {
            session.say(message);
        }
    }

    fn now(&self) -> Millis {
        Millis(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn elapsed_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

async fn at(timer: Option<Instant>) {
    match timer {
        Some(timer) => sleep_until(timer).await,
        None => std::future::pending().await,
    }
}
