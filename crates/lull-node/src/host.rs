//! The node of this machine, joined or not: what a window can talk to from the first moment on.

use std::{fs, path::Path, sync::Arc};

use futures::{FutureExt, future::BoxFuture};
use lull_door::{Chat, Home, HomeLock, NodeApi};
use lull_types::{ChatRequest, Code, Event, Fault, Request, Response};
use lull_wire::Token;
use tokio::{
    sync::{Mutex, broadcast, watch},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Node, NodeOptions,
    backoff::Backoff,
    enrol::{self, Enrolled},
    fault::stopping,
    identity::Identity,
    machine::{self, MachineLock},
    node::{EVENTS_MAX, joined_already},
    own::Own,
};

/// The longest invitation that is read from a file, in bytes.
const INVITATION_BYTES_MAX: u64 = 16 * 1024;

/// Whether there is a node.
#[derive(Debug, Clone)]
enum Stage {
    /// It runs.
    Joined(Arc<Node>),
    /// This machine belongs to no organisation, or what it has stored of one is damaged.
    Apart(Fault),
}

/// A machine's node and its door, whether it has joined an organisation or not. It stops when it is told to, or when it
/// is dropped.
#[derive(Debug)]
pub struct Host {
    home: Home,
    options: NodeOptions,
    own: Own,
    stage: watch::Sender<Stage>,
    /// The home is this process's own while there is no node that has it; joining happens once at a time.
    apart: Mutex<Option<HomeLock>>,
    _machine: Option<MachineLock>,
    api_url: watch::Sender<Option<String>>,
    events: broadcast::Sender<Event>,
    stop: CancellationToken,
    ended: watch::Sender<bool>,
}

impl Host {
    /// Starts the node of this machine if it has joined an organisation; else waits to be told to join one. An
    /// invitation that IT has placed (`/etc/lull/invitation` on Linux) is taken up without being asked.
    ///
    /// # Errors
    /// [`Code::Busy`] when a node runs in this home, or, in a person's own home, anywhere on this machine;
    /// [`Code::Storage`].
    pub async fn start(home: &Path, options: NodeOptions) -> Result<Arc<Self>, Fault> {
        let home = Home::open(home)?;
        let lock = home.lock()?;
        let machine = if is_usual(&home) { Some(machine::lock()?) } else { None };
        let (events, _) = broadcast::channel(EVENTS_MAX);
        let own = Own::open(home.clone(), options.clone(), events.clone())?;
        let (stage, lock) = match Identity::load(&home) {
            Ok(_) => {
                let node = Node::start_in(home.clone(), lock, &options, own.clone(), events.clone())?;
                (Stage::Joined(node), None)
            }
            Err(fault) => {
                if fault.code != Code::NotEnrolled {
                    tracing::error!(code = %fault.code, reason = fault.message, "this machine's identity is damaged");
                }
                (Stage::Apart(fault), Some(lock))
            }
        };
        let host = Arc::new(Self {
            home,
            options,
            own,
            stage: watch::Sender::new(stage),
            apart: Mutex::new(lock),
            _machine: machine,
            api_url: watch::Sender::new(None),
            events,
            stop: CancellationToken::new(),
            ended: watch::Sender::new(false),
        });
        tokio::spawn(watch_over(Arc::downgrade(&host), host.stage.subscribe(), host.stop.clone()));
        if host.is_invited() {
            tokio::spawn(host.clone().follow_invitation());
        }
        Ok(host)
    }

    /// Tells where the local API listens, for the status.
    pub fn set_api_url(&self, url: String) {
        self.api_url.send_replace(Some(url.clone()));
        if let Stage::Joined(node) = &*self.stage.borrow() {
            node.set_api_url(url);
        }
    }

    /// Stops the node, if there is one, and takes no more calls.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.stopped().await;
    }

    /// Resolves when it has stopped, whoever told it to.
    pub async fn stopped(&self) {
        // The sender is this host's own.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// Joins the organisation that a token comes from.
    ///
    /// # Errors
    /// [`Code::BadRequest`] when this machine has joined already, [`Code::Unauthorized`] when it is no token, and those
    /// of [`crate::enroll`].
    pub async fn join(&self, token: &str, name: Option<String>) -> Result<Enrolled, Fault> {
        let token: Token = token
            .trim()
            .parse()
            .map_err(|error: lull_wire::TokenError| Fault::new(Code::Unauthorized, error.to_string()))?;
        let mut apart = self.apart.lock().await;
        if self.stop.is_cancelled() {
            return Err(stopping());
        }
        if apart.is_none() {
            return Err(joined_already());
        }
        let enrolled = enrol::join(&self.home, &token, name).await?;
        if let Some(lock) = apart.take() {
            let node = Node::start_in(self.home.clone(), lock, &self.options, self.own.clone(), self.events.clone());
            let stage = node.map_or_else(Stage::Apart, Stage::Joined);
            if let (Stage::Joined(node), Some(url)) = (&stage, self.api_url.borrow().clone()) {
                node.set_api_url(url);
            }
            self.stage.send_replace(stage);
        }
        for event in [Event::Status, Event::Models, Event::Rules] {
            // Nobody may be listening.
            let _ = self.events.send(event);
        }
        Ok(enrolled)
    }

    /// Whether it has joined an organisation.
    ///
    /// # Errors
    /// Why there is no node: [`Code::NotEnrolled`], or [`Code::Storage`] for what is stored of one and damaged.
    pub fn joined(&self) -> Result<(), Fault> {
        self.node().map(drop)
    }

    fn node(&self) -> Result<Arc<Node>, Fault> {
        match &*self.stage.borrow() {
            Stage::Joined(node) => Ok(node.clone()),
            Stage::Apart(fault) => Err(fault.clone()),
        }
    }

    fn invitation(&self) -> Option<&Path> {
        self.options.invitation.as_deref().or_else(|| machine::invitation())
    }

    /// Whether IT has placed an invitation that is still to be taken up.
    #[must_use]
    pub fn is_invited(&self) -> bool {
        let not_joined = matches!(&*self.stage.borrow(), Stage::Apart(fault) if fault.code == Code::NotEnrolled);
        not_joined && self.invitation().is_some_and(Path::exists)
    }

    /// Joins with the invitation that IT has placed; tries again while the relay cannot be reached.
    async fn follow_invitation(self: Arc<Self>) {
        let (mut backoff, since) = (Backoff::default(), Instant::now());
        loop {
            let joined = match self.read_invitation() {
                Ok(token) => self.join(&token, None).await.map(drop),
                Err(fault) => Err(fault),
            };
            let Err(fault) = joined else { return };
            tracing::warn!(code = %fault.code, reason = fault.message, "the invitation from IT does not work");
            let text = format!("the invitation that IT has placed on this machine does not work: {}", fault.message);
            // Its person may have joined by hand meanwhile.
            let still_apart = self.stage.send_if_modified(|stage| {
                let apart = matches!(stage, Stage::Apart(_));
                if apart {
                    *stage = Stage::Apart(Fault::new(Code::NotEnrolled, text));
                }
                apart
            });
            if !still_apart {
                return;
            }
            let _ = self.events.send(Event::Status);
            if !matches!(fault.code, Code::RelayUnreachable | Code::RelayDraining | Code::Busy) {
                return;
            }
            let wait = backoff.next(since.elapsed(), rand::random());
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = sleep(wait) => {}
            }
        }
    }

    fn read_invitation(&self) -> Result<String, Fault> {
        use std::io::Read as _;
        let path = self.invitation().ok_or_else(|| Fault::new(Code::NotEnrolled, "there is no invitation"))?;
        let mut text = String::new();
        fs::File::open(path)
            .and_then(|file| file.take(INVITATION_BYTES_MAX).read_to_string(&mut text))
            .map_err(|error| lull_door::fault::storage("read the invitation", path, &error))?;
        Ok(text)
    }

    async fn answer(&self, request: Request) -> Result<Response, Fault> {
        match request {
            Request::Join { token, name } => self.join(&token, name).await.map(|_| Response::Done),
            Request::Stop => {
                self.stop.cancel();
                Ok(Response::Done)
            }
            request => match self.node() {
                Ok(node) => node.call(request).await,
                Err(fault) => self.own.answer_alone(request, fault).await,
            },
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl NodeApi for Host {
    fn call(&self, request: Request) -> BoxFuture<'_, Result<Response, Fault>> {
        self.answer(request).boxed()
    }

    fn chat(&self, request: ChatRequest) -> BoxFuture<'_, Result<Chat, Fault>> {
        async move { self.node()?.chat(request).await }.boxed()
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}

/// Whether this is a person's own home, and none that was named: that is a test's, or a service's.
fn is_usual(home: &Home) -> bool {
    let named = std::env::var_os(Home::VARIABLE).is_some_and(|named| !named.is_empty());
    !named && Home::locate().is_ok_and(|usual| usual.canonicalize().is_ok_and(|usual| usual == home.path()))
}

/// Ends with the node, and ends the node with the host.
async fn watch_over(host: std::sync::Weak<Host>, mut stage: watch::Receiver<Stage>, stop: CancellationToken) {
    loop {
        let node = match &*stage.borrow_and_update() {
            Stage::Joined(node) => Some(node.clone()),
            Stage::Apart(_) => None,
        };
        let node_ended = async {
            match &node {
                Some(node) => node.stopped().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => break,
            () = node_ended => break,
            changed = stage.changed() => if changed.is_err() { break },
        }
    }
    stop.cancel();
    let node = match &*stage.borrow() {
        Stage::Joined(node) => Some(node.clone()),
        Stage::Apart(_) => None,
    };
    if let Some(node) = node {
        node.shutdown().await;
    }
    if let Some(host) = host.upgrade() {
        // The home is free again before anybody hears of it.
        drop(host.apart.lock().await.take());
        host.ended.send_replace(true);
    }
}
