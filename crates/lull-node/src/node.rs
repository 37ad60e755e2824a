//! Puts the parts together and answers at the door.

use std::{
    env,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures::{FutureExt, future::BoxFuture};
use lull_engine::Leash;
use lull_policy::Effective;
use lull_sandbox::Freezer;
use lull_seal::SealingKey;
use lull_types::{ChatRequest, Code, Event, Fault, Label, Layers, LendingView, NodeId, Request, Response, StatusView};
use lull_wire::{Signed, control::CatalogueModel, identity::SealingCertificate};
use tokio::sync::{Notify, broadcast, mpsc, oneshot, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Chat, Home, HomeLock, NodeApi,
    adding::Adding,
    agreed::AgreedFiles,
    clock::now_s,
    confinement::{self, Sandbox},
    doctor::Look,
    fault::{off_thread, stopping},
    hardware::{self, cores},
    herald::{self, Herald},
    identity::{Identity, Transport},
    lender::{self, Lender, LenderView, Setup},
    lending::{self, Herd, Listeners, RulesNow, Senses, Sensors, Timing, Wishes},
    link::{Link, LinkState},
    login::Logins,
    orders::{Anchor, OrderFiles},
    own::{self, Own},
    programs::Programs,
    ran::{RAN_REPLY_MAX, RanLog},
    rulebook::Rulebook,
    session::Routes,
    stance::Stance,
    submitter::{self, Sight, Submitter, SubmitterView},
    supervise::Plan,
    used::UsedTally,
    views,
};

/// How a node runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeOptions {
    /// Nobody sits at this machine: it lends without watching whether someone uses it.
    pub dedicated: bool,
    /// Where the workers' programs are. `None`: where `LULL_WORKER_DIR` says, else beside this program.
    pub worker_dir: Option<PathBuf>,
    /// One program for all workers, instead of the fastest that this processor can run.
    pub worker_program: Option<PathBuf>,
    /// Threads of each worker. `None`: the processor's, shared out between the slots.
    pub threads: Option<u16>,
    /// Jobs at once. `None`: one for each four of the processor's threads, at least 1 and at most 4.
    pub slots: Option<u16>,
    /// The longest prompt and answer together, in tokens, whatever the model could take.
    pub context_max: u32,
    /// The most memory of each worker, in bytes. `None`: what the rules allow, shared out between the slots.
    pub memory_max: Option<u64>,
    /// Whether a lending node puts the demo model into its store.
    pub demo: bool,
    /// Layers of the sandbox that workers leave out, for tests: where a rule demands one of them, no job runs.
    pub sandbox_skip: Layers,
    /// Where the organisation's rules for this machine are. `None`: where its system manages them.
    pub machine_rules: Option<PathBuf>,
    /// Where IT places an invitation for this machine. `None`: where its system manages such things.
    pub invitation: Option<PathBuf>,
    /// Times other than people want them.
    pub timing: Timing,
    /// Where the sensors look.
    pub senses: Senses,
}

/// The longest prompt and answer together, in tokens, unless told otherwise: a context costs memory.
const CONTEXT_MAX: u32 = 16_384;
/// The processor's threads for each slot, unless told otherwise.
const THREADS_PER_SLOT: u16 = 4;
/// The most slots, unless told otherwise.
const SLOTS_MAX: u16 = 4;
/// The environment variable that names the folder of the workers' programs.
const WORKER_DIR_VARIABLE: &str = "LULL_WORKER_DIR";
/// Events that a slow listener may be behind before it loses some.
pub(crate) const EVENTS_MAX: usize = 64;

/// All that a node needs before its parts begin.
struct Ready {
    home: Home,
    lock: HomeLock,
    identity: Identity,
    transport: Transport,
    sealing: Arc<SealingKey>,
    certificate: Signed<SealingCertificate>,
    desk: Desk,
}

/// What a node keeps for this machine's person.
#[derive(Debug)]
struct Desk {
    own: Own,
    adding: Adding,
    ran: RanLog,
    used: UsedTally,
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self {
            dedicated: false,
            worker_dir: None,
            worker_program: None,
            threads: None,
            slots: None,
            context_max: CONTEXT_MAX,
            memory_max: None,
            demo: true,
            sandbox_skip: Layers::new(),
            machine_rules: None,
            invitation: None,
            timing: Timing::default(),
            senses: Senses::default(),
        }
    }
}

/// A running node. It stops when it is told to, or when it is dropped.
#[derive(Debug)]
pub struct Node {
    identity: watch::Receiver<Arc<Identity>>,
    link: watch::Receiver<LinkState>,
    catalogue: watch::Receiver<Arc<Vec<CatalogueModel>>>,
    lender_view: watch::Receiver<LenderView>,
    lending_view: watch::Receiver<LendingView>,
    rulebook: Rulebook,
    logins: Logins,
    submitter_view: watch::Receiver<SubmitterView>,
    herd: Arc<Herd>,
    desk: Desk,
    api_url: watch::Sender<Option<String>>,
    lender: mpsc::Sender<lender::Command>,
    lending: mpsc::Sender<lending::Command>,
    submitter: mpsc::Sender<submitter::Command>,
    events: broadcast::Sender<Event>,
    stop: CancellationToken,
    tasks: TaskTracker,
    stopped: watch::Receiver<bool>,
}

impl Node {
    /// Starts the node of an enrolled machine. It returns at once: the way to the relay shows in its status.
    ///
    /// # Errors
    /// [`Code::NotEnrolled`], [`Code::Busy`] when a node runs in this home already, [`Code::Storage`].
    pub async fn start(home: &Path, options: NodeOptions) -> Result<Arc<Self>, Fault> {
        let home = Home::open(home)?;
        let lock = home.lock()?;
        let (events, _) = broadcast::channel(EVENTS_MAX);
        let own = Own::open(home.clone(), options.clone(), events.clone())?;
        Self::start_in(home, lock, &options, own, events)
    }

    /// The same in a home that is this process's own already, for those who listen to these events.
    pub(crate) fn start_in(
        home: Home,
        lock: HomeLock,
        options: &NodeOptions,
        own: Own,
        events: broadcast::Sender<Event>,
    ) -> Result<Arc<Self>, Fault> {
        let identity = Identity::load(&home)?;
        let transport = Transport::load(&home)?;
        let sealing = Arc::new(SealingKey::generate());
        let certificate = sealing
            .certificate(identity.device.node, &identity.key, now_s())
            .map_err(|error| Fault::new(Code::Internal, format!("the sealing key cannot be certified: {error}")))?;
        tracing::info!(node = %identity.device.node, dedicated = options.dedicated, "the node starts");

        let adding = Adding::new(home.clone(), own.files().clone(), events.clone());
        let desk = Desk { adding, ran: RanLog::open(home.path())?, used: UsedTally::open(&home)?, own };
        let ready = Ready { home, lock, identity, transport, sealing, certificate, desk };
        Self::launch(ready, options, events).map(Arc::new)
    }

    fn launch(ready: Ready, options: &NodeOptions, events: broadcast::Sender<Event>) -> Result<Self, Fault> {
        let Ready { home, lock, identity, transport, sealing, certificate, desk } = ready;
        let (identity_sender, identity) = watch::channel(Arc::new(identity));
        let (link_sender, link) = watch::channel(LinkState::connecting());
        let (catalogued, catalogue) = watch::channel(Arc::default());
        let (lender_view_sender, lender_view) = watch::channel(LenderView::default());
        let (submitter_view_sender, submitter_view) = watch::channel(SubmitterView::default());
        let (lender, lender_inbox) = mpsc::channel(lender::INBOX_MAX);
        let (submitter, submitter_inbox) = mpsc::channel(submitter::INBOX_MAX);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let Lends { lending, lending_view, rules, stance, plan, sandbox, herd, watts_per_thread, look } =
            lends(&home, options, desk.own.files().clone(), lender_view.clone(), &stop, &tasks)?;
        let files = desk.own.files();
        let (heard, rulebook, herald) = Heard::of(files, &identity, options.dedicated, rules.clone(), sandbox.clone());
        tasks.spawn(heard.followed(identity.clone(), link.clone(), rules.clone(), look, stop.clone()));

        let setup = Setup {
            home: home.path().to_owned(),
            plan,
            sandbox: sandbox.clone(),
            rulebook: rulebook.clone(),
            stance,
            ran: desk.ran.clone(),
            herd: herd.clone(),
            watts_per_thread,
            slots: slots(options),
            demo: options.demo,
            identity: identity.clone(),
            link: link.clone(),
            sealing,
            stop: stop.clone(),
        };
        tasks.spawn(Lender::new(setup, lender_inbox, lender.downgrade(), lender_view_sender).run());
        let sight = Sight { link: link.clone(), rulebook: rulebook.clone(), stop: stop.clone() };
        tasks.spawn(Submitter::new(sight, desk.used.clone(), submitter_inbox, submitter_view_sender).run());
        let logins = Logins::new(rulebook.clone(), link.clone(), tasks.clone(), stop.clone());
        let routes = Routes::new(submitter.clone(), lender.clone(), herald, catalogued, logins.person.clone());
        let link_task = Link {
            home,
            identity: identity_sender,
            transport,
            sealing: certificate,
            state: link_sender,
            routes,
            busy: busy(lender_view.clone(), submitter_view.clone()),
            stop: stop.clone(),
        };
        tasks.spawn(link_task.run());

        let (stopped_sender, stopped) = watch::channel(false);
        let node = Self {
            identity,
            link,
            catalogue,
            lender_view,
            lending_view,
            logins,
            rulebook,
            submitter_view,
            herd,
            desk,
            api_url: watch::Sender::default(),
            lender,
            lending,
            submitter,
            events,
            stop,
            tasks: tasks.clone(),
            stopped,
        };
        tasks.spawn(futures::future::join(end_adding(node.desk.adding.clone(), node.stop.clone()), node.announce()));
        tokio::spawn(wait_for_the_end(tasks, node.desk.ran.clone(), lock, stopped_sender));
        Ok(node)
    }

    /// This machine's id.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.identity.borrow().device.node
    }

    /// Tells where the local API listens, for the status.
    pub fn set_api_url(&self, url: String) {
        self.api_url.send_replace(Some(url));
    }

    /// Stops the node: takes back its questions, ends its answers and its workers, and leaves the relay.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.stopped().await;
    }

    /// Resolves when the node has stopped, whoever told it to.
    pub async fn stopped(&self) {
        // The sender is gone only with the runtime.
        let _ = self.stopped.clone().wait_for(|stopped| *stopped).await;
    }

    /// What has to do with models on this machine.
    fn models(&self) -> Response {
        let models = views::models(&self.lender_view.borrow(), &self.catalogue.borrow());
        Response::Models { models, adding: self.desk.adding.views() }
    }

    fn add_model(&self, path: String, name: Option<String>) -> Result<Response, Fault> {
        let work = self.desk.adding.begin(path, name)?;
        let lender = self.lender.clone();
        // Among the node's tasks, so that the home is not given free before it has ended.
        self.tasks.spawn(async move {
            if tokio::task::spawn_blocking(work).await.is_ok_and(|came| came)
                && let Err(fault) = rescan(&lender).await
            {
                tracing::warn!(code = %fault.code, reason = fault.message, "a model is here and was not seen");
            }
        });
        Ok(Response::Done)
    }

    async fn remove_model(&self, name: String) -> Result<Response, Fault> {
        let home = self.desk.own.home().path().to_owned();
        off_thread(move || lull_models::Store::open(&home)?.remove(&name)).await?;
        rescan(&self.lender).await.map(|()| Response::Done)
    }

    fn rules(&self) -> Response {
        let RulesNow { effective, broken, policy, .. } = self.rulebook.rules.borrow().clone();
        let mut view = self.desk.own.files().view(&effective, policy, broken.as_ref());
        view.labels = self.rulebook.label_views();
        Response::Rules(Box::new(view))
    }

    async fn look(&self) -> Look {
        let (reply, answer) = oneshot::channel();
        let asked = self.lending.send(lending::Command::Sensed { reply }).await;
        let sensed = if asked.is_ok() { answer.await.ok() } else { None };
        Look { status: Ok(self.status()), sensed, freeze: Some(self.herd.freezer().method()) }
    }

    async fn lend(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<(), Fault>>) -> lending::Command,
    ) -> Result<Response, Fault> {
        lending::ask(&self.lending, command).await.map(|()| Response::Done)
    }

    async fn ask(&self, request: ChatRequest) -> Result<Chat, Fault> {
        if request.label != Label::public() {
            self.rulebook.arrived().await;
        }
        let (reply, answer) = oneshot::channel();
        let command = submitter::Command::Ask { request: Box::new(request), reply };
        self.submitter.send(command).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?.map(Chat)
    }

    fn status(&self) -> StatusView {
        let shown = views::status(
            &self.identity.borrow(),
            &self.link.borrow(),
            &self.lending_view.borrow(),
            self.rulebook.sandbox.now().view(),
            &self.lender_view.borrow(),
            *self.submitter_view.borrow(),
            self.api_url.borrow().clone(),
        );
        let person = self.logins.person.borrow().clone();
        StatusView { accepts: self.rulebook.labels(), person, ..shown }
    }

    /// Turns changes into events, until the node stops.
    fn announce(&self) -> impl Future<Output = ()> + use<> {
        let (mut link, mut catalogue) = (self.link.clone(), self.catalogue.clone());
        let (mut lender, mut submitter) = (self.lender_view.clone(), self.submitter_view.clone());
        let (mut lending, mut sandbox) = (self.lending_view.clone(), self.rulebook.sandbox.subscribe());
        let (mut rules, mut person) = (self.rulebook.rules.clone(), self.logins.person.subscribe());
        let (mut api, stop, events) = (self.api_url.subscribe(), self.stop.clone(), self.events.clone());
        async move {
            loop {
                let event = tokio::select! {
                    () = stop.cancelled() => return,
                    Ok(()) = link.changed() => Event::Status,
                    Ok(()) = lender.changed() => {
                        // What can be lent may have changed, too; nobody may be listening.
                        let _ = events.send(Event::Models);
                        Event::Status
                    }
                    Ok(()) = submitter.changed() => Event::Status,
                    Ok(()) = lending.changed() => Event::Status,
                    Ok(()) = sandbox.changed() => Event::Status,
                    Ok(()) = person.changed() => Event::Status,
                    Ok(()) = rules.changed() => Event::Rules,
                    Ok(()) = api.changed() => Event::Status,
                    Ok(()) = catalogue.changed() => Event::Models,
                    else => return,
                };
                // Nobody may be listening.
                let _ = events.send(event);
            }
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Node {
    async fn answer(&self, request: Request) -> Result<Response, Fault> {
        match request {
            Request::Status => Ok(Response::Status(Box::new(self.status()))),
            Request::Models => Ok(self.models()),
            Request::Rescan => rescan(&self.lender).await.map(|()| Response::Done),
            Request::AddModel { path, name } => self.add_model(path, name),
            Request::ForgetAdding { path } => self.desk.adding.forget(&path).map(|()| Response::Done),
            Request::RemoveModel { name } => self.remove_model(name).await,
            Request::Lend { on } => self.lend(|reply| lending::Command::Lend { on, reply }).await,
            Request::Pause { pause, finish } => {
                self.lend(|reply| lending::Command::Pause { pause, finish, reply }).await
            }
            Request::Resume => self.lend(|reply| lending::Command::Resume { reply }).await,
            Request::Rules => Ok(self.rules()),
            Request::SetRule { key, value } => {
                let org = self.identity.borrow().statement.org.clone();
                self.lend(|reply| lending::Command::Rule { key, value, org, reply }).await
            }
            Request::Log { limit, before } => {
                Ok(Response::Log { jobs: self.desk.ran.before(limit.min(RAN_REPLY_MAX), before).await? })
            }
            Request::EraseLog => self.desk.ran.erase().await.map(|()| Response::Done),
            Request::Usage => self.desk.used.days().await.map(|days| Response::Usage { days }),
            Request::EraseUsage => self.desk.used.erase().await.map(|()| Response::Done),
            Request::Doctor => Ok(Response::Doctor { findings: self.desk.own.findings(self.look().await).await }),
            Request::Diagnostics => self.desk.own.diagnostics(self.look().await).await,
            Request::Login => self.logins.begin().await.map(|url| Response::Login { url }),
            Request::Join { .. } => Err(joined_already()),
            Request::Stop => {
                self.stop.cancel();
                Ok(Response::Done)
            }
            request => self.desk.own.answer(request).await.unwrap_or_else(|| Err(own::unsupported())),
        }
    }
}

/// For a machine that is to join and has.
pub(crate) fn joined_already() -> Fault {
    let text = "this machine has joined an organisation already; to leave it, enrol anew with `lull node enroll TOKEN \
                --force`";
    Fault::new(Code::BadRequest, text)
}

/// Lets the lender look at the models again.
async fn rescan(lender: &mpsc::Sender<lender::Command>) -> Result<(), Fault> {
    let (reply, answer) = oneshot::channel();
    lender.send(lender::Command::Rescan { reply }).await.map_err(|_| stopping())?;
    answer.await.map_err(|_| stopping())?
}

/// No model is waited for by a node that stops.
async fn end_adding(adding: Adding, stop: CancellationToken) {
    stop.cancelled().await;
    adding.end();
}

impl NodeApi for Node {
    fn call(&self, request: Request) -> BoxFuture<'_, Result<Response, Fault>> {
        self.answer(request).boxed()
    }

    fn chat(&self, request: ChatRequest) -> BoxFuture<'_, Result<Chat, Fault>> {
        self.ask(request).boxed()
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}

/// Whether a question or a job is under way.
fn busy(
    lender: watch::Receiver<LenderView>,
    submitter: watch::Receiver<SubmitterView>,
) -> Box<dyn Fn() -> bool + Send + Sync> {
    Box::new(move || lender.borrow().running > 0 || submitter.borrow().running > 0)
}

/// Gives the home free when every task has ended.
async fn wait_for_the_end(tasks: TaskTracker, ran: RanLog, lock: HomeLock, stopped: watch::Sender<bool>) {
    tasks.close();
    tasks.wait().await;
    ran.flush().await;
    drop(lock);
    stopped.send_replace(true);
    tracing::info!("the node has stopped");
}

/// The organisation's word as it comes, and where it goes.
struct Heard {
    files: OrderFiles,
    denied: watch::Sender<herald::Denied>,
    inbox: mpsc::Receiver<herald::Word>,
}

impl Heard {
    fn of(
        files: &AgreedFiles,
        identity: &watch::Receiver<Arc<Identity>>,
        dedicated: bool,
        rules: watch::Receiver<RulesNow>,
        sandbox: Sandbox,
    ) -> (Self, Rulebook, mpsc::Sender<herald::Word>) {
        let files = files.orders().clone();
        let (denied_sender, denied) = watch::channel(files.denied(&Anchor::of(&identity.borrow())));
        let rulebook = Rulebook { rules, denied, identity: identity.clone(), sandbox, dedicated };
        let (herald, inbox) = mpsc::channel(herald::INBOX_MAX);
        (Self { files, denied: denied_sender, inbox }, rulebook, herald)
    }

    fn followed(
        self,
        identity: watch::Receiver<Arc<Identity>>,
        link: watch::Receiver<LinkState>,
        rules: watch::Receiver<RulesNow>,
        look: Arc<Notify>,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> {
        let Self { files, denied, inbox } = self;
        Herald { files, identity, link, rules, denied, inbox, look, stop }.run()
    }
}

/// The lending machine as it runs, and what follows from it.
struct Lends {
    lending: mpsc::Sender<lending::Command>,
    lending_view: watch::Receiver<LendingView>,
    rules: watch::Receiver<RulesNow>,
    stance: watch::Receiver<Stance>,
    plan: Result<Plan, String>,
    sandbox: Sandbox,
    herd: Arc<Herd>,
    watts_per_thread: f64,
    /// Has the rules read again at once.
    look: Arc<Notify>,
}

/// Starts the lending machine.
fn lends(
    home: &Home,
    options: &NodeOptions,
    files: AgreedFiles,
    lender: watch::Receiver<LenderView>,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> Result<Lends, Fault> {
    let look = Arc::new(Notify::new());
    let wishes = Wishes::follow(files, options.dedicated, options.timing, look.clone(), stop.clone());
    let watts_per_thread = wishes.effective().watts_per_thread.value;
    let (frozen_sender, frozen) = watch::channel(false);
    let (stance_sender, stance) = watch::channel(Stance::closed(options.dedicated));
    let (view_sender, lending_view) = watch::channel(lending::starting());
    let (rules_sender, rules) = watch::channel(wishes.now());
    let herd = Herd::new(Arc::new(Freezer::new()));
    tracing::info!(method = %herd.freezer().method(), "this machine can be given back");
    let sandbox = Sandbox::new(wishes.effective().sandbox_tier.value, options.sandbox_skip.clone());
    let leash = Leash { keeper: herd.clone(), frozen };
    let plan = plan(home, options, wishes.effective(), leash, sandbox.clone());
    match &plan {
        Ok(Plan { programs, scratch, .. }) => {
            let (program, folder) = (programs.any.clone(), scratch.join("report"));
            let looking = confinement::keep_looking(sandbox.clone(), program, folder, confinement::PACE, stop.clone());
            tasks.spawn(looking);
        }
        Err(why) => sandbox.nothing(why),
    }
    let (lending, inbox) = mpsc::channel(lending::INBOX_MAX);
    let setup = lending::Setup {
        inbox,
        listeners: Listeners { stance: stance_sender, frozen: frozen_sender, view: view_sender, rules: rules_sender },
        lender,
        wishes,
        sensors: Sensors::new(options.senses.clone(), herd.freezer().clone()),
        herd: herd.clone(),
        sandbox: sandbox.clone(),
        stop: stop.clone(),
    };
    let over = lending::Task::start(setup)
        .map_err(|error| Fault::new(Code::Internal, format!("the node gets no thread: {error}")))?;
    tasks.spawn(async move { drop(over.await) });
    Ok(Lends { lending, lending_view, rules, stance, plan, sandbox, herd, watts_per_thread, look })
}

/// How workers are started here, or why none are.
fn plan(home: &Home, options: &NodeOptions, rules: &Effective, leash: Leash, sandbox: Sandbox) -> Result<Plan, String> {
    let programs = programs(options).inspect_err(|reason| match options.dedicated {
        true => tracing::warn!(reason, "this machine is dedicated to lending, and cannot lend"),
        false => tracing::info!(reason, "no worker can run on this machine"),
    })?;
    let slots = slots(options);
    let threads = options.threads.unwrap_or_else(|| (rules.threads.value.unwrap_or(cores()) / slots).max(1));
    let share = |bytes: u64| bytes / 100 * u64::from(rules.memory_percent.value) / u64::from(slots);
    Ok(Plan {
        programs,
        threads,
        context_max: options.context_max,
        memory_max: options.memory_max.or_else(|| hardware::memory_bytes().map(share)),
        scratch: home.scratch(),
        leash,
        sandbox,
    })
}

/// The workers' programs, or why there are none.
pub(crate) fn programs(options: &NodeOptions) -> Result<Programs, String> {
    if let Some(program) = &options.worker_program {
        return Ok(Programs::one(program.clone()));
    }
    let folder = worker_dir(options).ok_or("it is not known where the workers' programs are")?;
    Programs::found(&folder)
}

fn worker_dir(options: &NodeOptions) -> Option<PathBuf> {
    let named = || env::var_os(WORKER_DIR_VARIABLE).filter(|named| !named.is_empty()).map(PathBuf::from);
    options.worker_dir.clone().or_else(named).or_else(|| beside(&env::current_exe().ok()?))
}

/// Where a program's own parts are: where packages put them (`/usr/lib/lull` for `/usr/bin/lull`), else beside it.
fn beside(program: &Path) -> Option<PathBuf> {
    let folder = program.parent()?;
    let packaged = folder.parent().map(|above| above.join("lib/lull")).filter(|packaged| packaged.is_dir());
    Some(packaged.unwrap_or_else(|| folder.to_owned()))
}

fn slots(options: &NodeOptions) -> u16 {
    options.slots.unwrap_or(cores() / THREADS_PER_SLOT).clamp(1, SLOTS_MAX.max(options.slots.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_where_packages_put_them_or_beside_the_program() {
        let root = tempfile::tempdir().unwrap();
        let program = root.path().join("bin/lull");
        assert_eq!(beside(&program), Some(root.path().join("bin")));
        std::fs::create_dir_all(root.path().join("lib/lull")).unwrap();
        assert_eq!(beside(&program), Some(root.path().join("lib/lull")));
    }
}
