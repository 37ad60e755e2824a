use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use lull_core::scheduler::{Scheduler, Used};
use lull_net::Listener;
use lull_types::NodeId;
use lull_wire::{ALPN_ENROL, ALPN_NODE};
use quinn::{Endpoint, Incoming};
use tokio::{
    net::TcpListener,
    sync::{Notify, Semaphore, mpsc, oneshot, watch},
    task::JoinHandle,
    time::timeout,
};

use crate::{
    RelayError,
    actor::{Actor, EVENTS_MAX, Event},
    admin, clock, close, connection, enrol,
    fabric::LocalFabric,
    gate::{Gate, Ticket, Verdict},
    grant::{Granter, judge_seed, reset_key},
    home::{Org, RelayHome, admin_file, existing_database},
    http,
    ledger::{Deed, Ledger as _, Orders, SqliteLedger},
    lock::RelayLock,
    login::Logins,
    metrics::Metrics,
    orders::{self, Author, Standing},
    recorder::{self, RECORDS_MAX},
    shared::Shared,
};

/// How long a handshake may take, in milliseconds.
const HANDSHAKE_MAX_MS: u64 = 10_000;
/// How long running jobs may go on after the relay was asked to stop, in milliseconds.
pub const DRAIN_MAX_MS: u64 = 3_000;
/// How long closing connections may take at the end, in milliseconds.
const CLOSE_MAX_MS: u64 = 1_000;

/// Where a relay listens.
#[derive(Debug, Clone, Copy)]
pub struct RelayOptions {
    /// For nodes: QUIC over UDP.
    pub listen: SocketAddr,
    /// For `/healthz`, `/metrics` and commands: HTTP over TCP. `None` takes a free port on the loopback address.
    pub admin: Option<SocketAddr>,
}

/// What the ledger knows when a relay starts.
struct Known {
    models: Vec<String>,
    author: Author,
    orders: Orders,
    standing: Standing,
    today: u64,
    used: Vec<Used>,
    quarantined: Vec<(NodeId, u64)>,
}

impl Known {
    async fn read(ledger: &SqliteLedger, org: &Org) -> Result<Self, RelayError> {
        let author = Author { root: org.root, org: org.name.clone() };
        let orders = ledger.orders().await?;
        let standing = author.read_first(orders.clone())?;
        let today = clock::day_of(clock::now_s());
        let (models, used) = (ledger.models().await?, ledger.used(today).await?);
        let quarantined = ledger.quarantined().await?;
        Ok(Self { models, author, orders, standing, today, used, quarantined })
    }
}

/// A running relay. Dropping it without [`Relay::shutdown`] ends it without a word.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    admin_address: SocketAddr,
    endpoint: Endpoint,
    events: mpsc::Sender<Event>,
    ledger: Arc<SqliteLedger>,
    stop_admin: oneshot::Sender<()>,
    admin: JoinHandle<()>,
    actor: JoinHandle<()>,
    recorder: JoinHandle<()>,
    watching: JoinHandle<()>,
    accepting: JoinHandle<()>,
    _lock: Arc<RelayLock>,
    ended: watch::Receiver<bool>,
}

impl Relay {
    /// Starts the relay of `DIR/relay`. `DIR/root` is not read and need not be there.
    ///
    /// # Errors
    /// [`RelayError`] when the folder is incomplete, damaged or another relay's, or an address is taken.
    pub async fn start(dir: &Path, options: RelayOptions) -> Result<Self, RelayError> {
        let home = RelayHome::load(dir)?;
        let lock = Arc::new(RelayLock::take(dir).await?);
        let ledger = Arc::new(SqliteLedger::open(&existing_database(dir)?)?);
        let known = Known::read(&ledger, &home.org).await?;
        let started = Deed::RelayStarted { version: env!("CARGO_PKG_VERSION").into() };
        ledger.note(clock::now_s(), admin::administrator(), started).await?;
        let listener = Listener { address: options.listen, reset_key: reset_key(&home.secret) };
        let endpoint = lull_net::listen(&listener, &home.authority)?;
        let address = endpoint.local_addr().map_err(crate::files::io(dir))?;
        let admin_wish = options.admin.unwrap_or_else(|| ([127, 0, 0, 1], 0).into());
        let admin_fault = |source| RelayError::Admin { address: admin_wish, source };
        let admin_listener = TcpListener::bind(admin_wish).await.map_err(admin_fault)?;
        let admin_address = admin_listener.local_addr().map_err(admin_fault)?;

        let (events, event_queue) = mpsc::channel(EVENTS_MAX);
        let (records, record_queue) = mpsc::channel(RECORDS_MAX);
        let metrics = Arc::new(Metrics::new());
        let fabric = Arc::new(LocalFabric::default());
        let seed = u64::from_le_bytes(lull_wire::random());
        let scheduler = Scheduler::new(seed, known.models);
        // The same at each start: who checks whom should not change with it.
        let judge = judge_seed(&home.secret);
        let granter = Granter::new(home.grant_key.clone(), &home.secret);
        let mut actor = Actor::new(scheduler, fabric.clone(), granter, records.clone(), Arc::clone(&metrics), judge);
        actor.quarantined_before(&known.quarantined, clock::now_s());
        actor.day(known.today, known.used);
        actor.follow(known.standing);
        let logins = Logins::new(actor.rules.subscribe());
        let actor = tokio::spawn(actor.run(event_queue));
        let recorder = recorder::run(ledger.clone(), record_queue, events.downgrade(), Arc::clone(&metrics));
        let recorder = tokio::spawn(recorder);
        let look = Arc::new(Notify::new());
        let watching = orders::watch(ledger.clone(), known.author, events.downgrade(), Arc::clone(&look), known.orders);
        let watching = tokio::spawn(watching);
        let org = home.org.name;
        let shared = Arc::new(Shared {
            root: home.org.root,
            grant_key: home.grant_key.public(),
            statement: home.org.statement,
            authority: home.authority,
            ledger: ledger.clone(),
            fabric,
            events: events.clone(),
            recorder: records,
            metrics,
            look,
            logins,
            gate: Gate::default(),
            enrolments: Semaphore::new(enrol::ENROLMENTS_MAX),
        });
        let (stop_admin, stopped) = oneshot::channel();
        let admin = http::start(Arc::clone(&shared), admin_listener, admin_file(dir), stopped)?;
        let (end, ended) = watch::channel(false);
        let accepting = tokio::spawn(accept(shared, endpoint.clone(), end, Arc::clone(&lock)));
        tracing::info!(org, %address, admin = %admin_address, version = env!("CARGO_PKG_VERSION"), "the relay runs");
        Ok(Self {
            address,
            admin_address,
            endpoint,
            events,
            ledger,
            stop_admin,
            admin,
            actor,
            recorder,
            watching,
            accepting,
            _lock: lock,
            ended,
        })
    }

    /// Where it listens for nodes.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for administrators.
    #[must_use]
    pub const fn admin_addr(&self) -> SocketAddr {
        self.admin_address
    }

    /// Resolves when the relay has stopped listening by itself: its port or its state is gone.
    pub async fn join(&self) {
        let mut ended = self.ended.clone();
        let _ = ended.wait_for(|ended| *ended).await;
    }

    /// Says goodbye, lets running jobs go on for at most [`DRAIN_MAX_MS`], brings the ledger to the disk and ends.
    pub async fn shutdown(self) {
        let (reply, drained) = oneshot::channel();
        let _ = self.events.send(Event::Drain(reply)).await;
        if timeout(Duration::from_millis(DRAIN_MAX_MS), drained).await.is_err() {
            let _ = self.events.send(Event::CutAll).await;
        }
        let limit = Duration::from_millis(CLOSE_MAX_MS);
        // A moment for the last frames: closing a connection throws away what is on its way.
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.endpoint.close(close::DRAINING, b"the relay shuts down");
        let _ = timeout(limit, self.endpoint.wait_idle()).await;
        let _ = self.stop_admin.send(());
        let mut admin = self.admin;
        if timeout(limit, &mut admin).await.is_err() {
            end(admin).await;
        }
        end(self.accepting).await;
        end(self.watching).await;
        drop(self.events);
        let _ = timeout(limit, self.actor).await;
        let _ = timeout(limit, self.recorder).await;
        self.ledger.close().await;
        tracing::info!(address = %self.address, "the relay has stopped");
    }
}

/// Ends a task, and waits until it has let go of what it holds.
async fn end(task: JoinHandle<()>) {
    task.abort();
    let _ = timeout(Duration::from_millis(CLOSE_MAX_MS), task).await;
}

/// Lets connections in; while it does, the folder is this relay's.
async fn accept(shared: Arc<Shared>, endpoint: Endpoint, end: watch::Sender<bool>, _lock: Arc<RelayLock>) {
    while let Some(incoming) = endpoint.accept().await {
        let verdict = shared.gate.knock(incoming.remote_address().ip(), incoming.remote_address_validated());
        match verdict {
            Verdict::Enter(ticket) => {
                tokio::spawn(enter(Arc::clone(&shared), incoming, ticket));
            }
            Verdict::Retry => {
                if incoming.retry().is_err() {
                    shared.metrics.turned_away("no retry");
                }
            }
            Verdict::Ignore => {
                shared.metrics.turned_away("crowd");
                incoming.ignore();
            }
        }
    }
    let _ = end.send(true);
}

/// A connection until TLS has said whose it is. Without a certificate there is one door, and it leads to enrolment.
async fn enter(shared: Arc<Shared>, incoming: Incoming, ticket: Ticket) {
    let Ok(connecting) = incoming.accept() else { return };
    let Ok(Ok(connection)) = timeout(Duration::from_millis(HANDSHAKE_MAX_MS), connecting).await else {
        shared.metrics.turned_away("handshake");
        return;
    };
    let alpn = lull_net::alpn(&connection);
    if alpn.as_deref() == Some(ALPN_ENROL) {
        enrol::serve(shared, connection).await;
        return;
    }
    match lull_net::peer(&connection) {
        Some(peer) if alpn.as_deref() == Some(ALPN_NODE) => connection::serve(shared, connection, peer, ticket).await,
        _ => {
            shared.metrics.turned_away("no certificate");
            connection.close(close::NOT_ALLOWED, b"a certificate is needed here: enrol first");
        }
    }
}
