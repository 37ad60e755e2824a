//! Runs the lending machine: hears the sensors, freezes, thaws and ends the workers, and tells everyone else.
//!
//! It has a thread of its own, so that a busy node cannot hold it up. Freezing does not even wait for it: see
//! [`super::brake`].

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use lull_core::lending::{Input, Lending, Output, State};
use lull_sandbox::Ticket;
use lull_types::{Fault, LendingView, Observation, Pause, Reading, Reason, RuleValue, Source};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    brake::Brake,
    clocks,
    herd::Herd,
    sensors::Sensors,
    wishes::{RulesNow, Wishes},
};
use crate::{
    agreed::Paused,
    confinement::Sandbox,
    doctor::{Heard, Sensed},
    fault::stopping,
    lender::LenderView,
    stance::Stance,
};

/// Commands that may wait.
pub(crate) const INBOX_MAX: usize = 16;

/// What people ask of it.
#[derive(Debug)]
pub(crate) enum Command {
    Lend {
        on: bool,
        reply: Reply,
    },
    Pause {
        pause: Pause,
        finish: bool,
        reply: Reply,
    },
    Resume {
        reply: Reply,
    },
    /// What the sensors say of themselves.
    Sensed {
        reply: oneshot::Sender<Sensed>,
    },
    /// `org`: the organisation's name, for who asks for more than it allows.
    Rule {
        key: String,
        value: Option<RuleValue>,
        org: String,
        reply: Reply,
    },
}

type Reply = oneshot::Sender<Result<(), Fault>>;

/// Who is told.
pub(crate) struct Listeners {
    pub(crate) stance: watch::Sender<Stance>,
    /// Whether the workers' clocks stand still.
    pub(crate) frozen: watch::Sender<bool>,
    pub(crate) view: watch::Sender<LendingView>,
    pub(crate) rules: watch::Sender<RulesNow>,
}

/// What it needs.
pub(crate) struct Setup {
    pub(crate) inbox: mpsc::Receiver<Command>,
    pub(crate) listeners: Listeners,
    pub(crate) lender: watch::Receiver<LenderView>,
    pub(crate) wishes: Wishes,
    pub(crate) sensors: Sensors,
    pub(crate) herd: Arc<Herd>,
    /// Whether workers can run here; it is told what the rules ask for.
    pub(crate) sandbox: Sandbox,
    pub(crate) stop: CancellationToken,
}

pub(crate) struct Task {
    setup: Setup,
    machine: Lending,
    brake: Arc<Brake>,
    heard: mpsc::Receiver<Observation>,
    frozen_since: Option<Instant>,
    /// The signals that the rules want heeded, as a mask.
    heed: u32,
    /// Each source's last word, and when it came.
    words: BTreeMap<Source, (Reading, Instant)>,
}

impl Task {
    /// Starts the thread; it ends with the node.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(setup: Setup) -> std::io::Result<oneshot::Receiver<()>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (over, ended) = oneshot::channel();
        std::thread::Builder::new().name("lull-lending".into()).spawn(move || {
            lull_sandbox::hurry();
            runtime.block_on(async { Self::new(setup).run().await });
            // Nobody may be waiting.
            let _ = over.send(());
        })?;
        Ok(ended)
    }

    fn new(mut setup: Setup) -> Self {
        let brake = Brake::new(Arc::clone(setup.herd.freezer()));
        let (sink, heard) = brake.sink();
        setup.sensors.listen_with(sink);
        Self {
            machine: Lending::new(clocks::now()),
            setup,
            brake,
            heard,
            frozen_since: None,
            heed: 0,
            words: BTreeMap::new(),
        }
    }

    async fn run(mut self) {
        // Before the first look at it, so that no change is missed.
        let mut confinement = self.setup.sandbox.subscribe();
        let ticket = self.setup.herd.freezer().ticket();
        self.begin(ticket);
        let stop = self.setup.stop.clone();
        loop {
            // Taken before anything is heard: a freeze after this wins against a thaw decided below.
            let ticket = self.setup.herd.freezer().ticket();
            let deadline = self.machine.deadline().map(clocks::instant_of);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(observation) = self.heard.recv() => self.observed(observation, ticket),
                Some(command) = self.setup.inbox.recv() => self.command(command, ticket),
                Ok(()) = self.setup.lender.changed() => {
                    let running = self.setup.lender.borrow_and_update().running;
                    self.step(Input::Jobs(running), ticket);
                }
                () = self.setup.wishes.changed() => self.rules(ticket),
                Ok(()) = confinement.changed() => self.worker(ticket),
                () = at(deadline) => self.step(Input::Tick, ticket),
            }
        }
    }

    fn begin(&mut self, ticket: Ticket) {
        self.rules(ticket);
        if let Some(pause) = self.setup.wishes.pause() {
            self.step(Input::Pause { until_unix_ms: pause.until_unix_ms(), finish: false }, ticket);
        }
        // What has not changed since the machine was made has not been shown yet.
        self.show();
    }

    /// The rules are new, or could not be read.
    fn rules(&mut self, ticket: Ticket) {
        self.setup.sandbox.require(self.setup.wishes.effective().sandbox_tier.value);
        // Before anything else that is new: stricter rules end what they do not allow.
        self.worker(ticket);
        let rules = self.setup.wishes.rules();
        self.heed = rules.heed;
        let others = self.setup.sensors.follow(self.setup.wishes.effective(), rules.heed);
        if !others.as_ref().is_ok_and(|others| !others) {
            if let Err(error) = others {
                tracing::error!(%error, "the sensors cannot be started");
            }
            // What the ones before them said counts no more.
            self.step(Input::Sources(self.setup.sensors.sources().to_vec()), ticket);
            self.setup.sensors.set_pace(self.machine.pace());
        }
        self.step(Input::Rules(rules), ticket);
        let now = self.setup.wishes.now();
        self.setup.listeners.rules.send_if_modified(|shown| std::mem::replace(shown, now.clone()) != now);
    }

    /// Whether a worker can run here, as far as it is known now.
    fn worker(&mut self, ticket: Ticket) {
        let verdict = self.setup.sandbox.now().verdict();
        self.step(Input::Worker(verdict), ticket);
    }

    fn observed(&mut self, observation: Observation, ticket: Ticket) {
        if self.brake.has_lost_some() {
            self.step(Input::Sources(self.setup.sensors.sources().to_vec()), ticket);
        }
        let word = (observation.source, observation.reading.clone());
        self.step(Input::Observed(observation), ticket);
        self.words.insert(word.0, (word.1, Instant::now()));
    }

    fn sensed(&self) -> Sensed {
        let heard = |source: &Source| {
            let word = self.words.get(source);
            Heard {
                source: *source,
                reading: word.map(|(reading, _)| reading.clone()),
                ago_ms: word.map_or(0, |(_, at)| u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX)),
            }
        };
        Sensed { sources: self.setup.sensors.sources().iter().map(heard).collect(), heed: self.heed }
    }

    fn command(&mut self, command: Command, ticket: Ticket) {
        let (done, reply) = match command {
            Command::Lend { on, reply } => {
                let done = self.setup.wishes.agree(on);
                self.rules(ticket);
                (done, reply)
            }
            Command::Pause { pause, finish, reply } => {
                let done = Paused::begin(pause, &jiff::Zoned::now()).and_then(|paused| {
                    // The machine is given back first and the disk written afterwards.
                    self.step(Input::Pause { until_unix_ms: paused.until_unix_ms(), finish }, ticket);
                    self.setup.wishes.keep_pause(paused)
                });
                self.rules(ticket);
                (done, reply)
            }
            Command::Resume { reply } => {
                self.step(Input::Resume, ticket);
                let done = self.setup.wishes.forget_pause();
                self.rules(ticket);
                (done, reply)
            }
            Command::Sensed { reply } => return drop(reply.send(self.sensed())),
            Command::Rule { key, value, org, reply } => {
                let done = self.setup.wishes.set_rule(&key, value.as_ref(), &org);
                self.rules(ticket);
                (done, reply)
            }
        };
        // Whoever asked may be gone.
        let _ = reply.send(done);
    }

    fn step(&mut self, input: Input, ticket: Ticket) {
        let outputs = self.machine.handle(clocks::now(), input);
        // Before anything is thawed or offered: what comes next must be able to freeze. While yielding, too, so that a
        // thaw under way loses against whoever touches a key at that moment.
        let yielding = matches!(self.machine.state(), State::Yielding(_));
        self.brake.arm(if yielding { self.heed } else { self.machine.armed() });
        for output in outputs {
            self.perform(output, ticket);
        }
        // The brake acts before anyone thinks. If the machine still lends, it was nothing.
        if matches!(self.machine.state(), State::Lending(_))
            && self.setup.herd.freezer().is_frozen()
            && self.heard.is_empty()
        {
            self.thaw(ticket);
        }
    }

    fn perform(&mut self, output: Output, ticket: Ticket) {
        match output {
            Output::Freeze => self.freeze(),
            Output::Thaw => self.thaw(ticket),
            Output::Kill => self.kill(),
            Output::Offer(offering) => self.stance(|stance| stance.offering = offering),
            Output::Pace(pace) => self.setup.sensors.set_pace(pace),
            Output::Changed => self.show(),
        }
    }

    fn show(&self) {
        let view = self.machine.view(0, 0);
        tracing::info!(state = view.words(), "lending");
        self.setup.listeners.view.send_replace(view);
    }

    fn freeze(&mut self) {
        self.setup.herd.freezer().freeze();
        self.setup.listeners.frozen.send_replace(true);
        self.frozen_since.get_or_insert_with(Instant::now);
        self.stance(|stance| stance.frozen = true);
    }

    fn thaw(&mut self, ticket: Ticket) {
        if !self.setup.herd.freezer().thaw(ticket) {
            return;
        }
        self.setup.listeners.frozen.send_replace(false);
        let still = self.frozen_since.take().map_or(Duration::ZERO, |since| since.elapsed());
        self.stance(|stance| {
            stance.frozen = false;
            stance.stood_still += still;
        });
    }

    /// The workers' memory is the owner's again; nobody else is told before it is under way.
    fn kill(&mut self) {
        self.setup.herd.end_all();
        self.stance(|stance| stance.kills += 1);
    }

    fn stance(&self, change: impl FnOnce(&mut Stance)) {
        self.setup.listeners.stance.send_modify(change);
    }
}

impl Drop for Task {
    /// However it ends: where nobody decides any more, nothing runs.
    fn drop(&mut self) {
        self.setup.herd.freezer().freeze();
        self.setup.listeners.frozen.send_replace(true);
        self.stance(|stance| (stance.offering, stance.frozen) = (false, true));
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// The view of a node that has not begun yet.
pub(crate) fn starting() -> LendingView {
    let reason = Reason::JustLeft;
    LendingView::Waiting { words: "the node is starting".into(), reason, until: None }
}

/// The lending task's answer.
pub(crate) async fn ask(inbox: &mpsc::Sender<Command>, command: impl FnOnce(Reply) -> Command) -> Result<(), Fault> {
    let (reply, answer) = oneshot::channel();
    inbox.send(command(reply)).await.map_err(|_| stopping())?;
    answer.await.map_err(|_| stopping())?
}
