//! Where the node is: inside this process, or in another that was there first.

use std::{path::Path, sync::Arc, time::Duration};

use lull_desktop::Event;
use lull_door::{Door, Home, NodeApi, RemoteNode};
use lull_node::{Host, Keys};
use lull_types::{Code, Fault};
use tokio::{
    sync::{broadcast::error::RecvError, mpsc, oneshot, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::args::Args;

/// How long to wait before a node is looked for again, at first and at most.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(30);
/// How long clients of the local API may take to hang up.
const API_ENDS_WITHIN: Duration = Duration::from_secs(1);

/// Whoever answers now; `Err`: nobody, and why.
pub(crate) type Found = Result<Arc<dyn NodeApi>, Fault>;

/// Keeps a node at hand until `stop`, and tells what it says. Returns when nothing of it is left.
pub(crate) async fn keep(
    args: Args,
    home: Home,
    found: watch::Sender<Option<Found>>,
    say: mpsc::Sender<Event>,
    stop: CancellationToken,
) {
    let mut again_after = AGAIN_AFTER;
    while !stop.is_cancelled() {
        match Seat::take(&args, &home).await {
            Ok(seat) => {
                again_after = AGAIN_AFTER;
                found.send_replace(Some(Ok(seat.node())));
                follow(&seat, &say, &stop).await;
                let hosted = matches!(seat, Seat::Hosted(_));
                seat.leave().await;
                if hosted && !stop.is_cancelled() {
                    // Somebody asked the node to stop, and this app is its body.
                    let _ = say.send(Event::Chosen(lull_desktop::Action::Quit)).await;
                    return;
                }
                let gone = Fault::new(Code::NotRunning, "the node that ran here has ended; Lull starts its own");
                lost(&found, &say, gone).await;
            }
            Err(fault) => {
                tracing::warn!(code = %fault.code, reason = fault.message, "there is no node");
                lost(&found, &say, fault).await;
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(again_after) => {}
                }
                again_after = (again_after * 2).min(AGAIN_AFTER_MAX);
            }
        }
    }
}

async fn lost(found: &watch::Sender<Option<Found>>, say: &mpsc::Sender<Event>, fault: Fault) {
    found.send_replace(Some(Err(fault.clone())));
    let _ = say.send(Event::NodeLost(fault)).await;
}

/// Passes on what a node says until it ends, or this app does.
async fn follow(seat: &Seat, say: &mpsc::Sender<Event>, stop: &CancellationToken) {
    let mut events = seat.node().events();
    for event in [lull_types::Event::Prefs, lull_types::Event::Status] {
        let _ = say.send(Event::Node(event)).await;
    }
    loop {
        let event = tokio::select! {
            () = stop.cancelled() => return,
            () = seat.ended() => return,
            event = events.recv() => event,
        };
        let event = match event {
            Ok(event) => event,
            Err(RecvError::Lagged(_)) => lull_types::Event::Status,
            Err(RecvError::Closed) => return,
        };
        let _ = say.send(Event::Node(event)).await;
    }
}

enum Seat {
    Hosted(Box<Hosted>),
    Attached(Arc<RemoteNode>),
}

struct Hosted {
    node: Arc<Host>,
    door: Door,
    api: Option<(oneshot::Sender<()>, JoinHandle<std::io::Result<()>>)>,
}

impl Seat {
    async fn take(args: &Args, home: &Home) -> Result<Self, Fault> {
        match Host::start(home.path(), args.node()).await {
            Ok(node) => Hosted::open(args, home.path(), node).await.map(Box::new).map(Self::Hosted),
            Err(fault) if fault.code == Code::Busy => {
                // Another person's node on this machine answers only them.
                let node = RemoteNode::connect(home.path()).await.map_err(|_| fault)?;
                tracing::info!("a node runs here already: the tray shows that one");
                Ok(Self::Attached(Arc::new(node)))
            }
            Err(fault) => Err(fault),
        }
    }

    fn node(&self) -> Arc<dyn NodeApi> {
        match self {
            Self::Hosted(hosted) => hosted.node.clone(),
            Self::Attached(node) => node.clone(),
        }
    }

    async fn ended(&self) {
        match self {
            Self::Hosted(hosted) => hosted.node.stopped().await,
            // Its events end with it.
            Self::Attached(_) => std::future::pending().await,
        }
    }

    /// Stops the node if it is this process's own; another one's goes on.
    async fn leave(self) {
        if let Self::Hosted(hosted) = self {
            hosted.close().await;
        }
    }
}

impl Hosted {
    async fn open(args: &Args, home: &Path, node: Arc<Host>) -> Result<Self, Fault> {
        let door = match lull_door::serve(node.clone(), home).await {
            Ok(door) => door,
            Err(fault) => {
                node.shutdown().await;
                return Err(fault);
            }
        };
        // Without the local API everything else still works; its place in the status stays empty.
        let api = match api(args, home, &node).await {
            Ok(api) => Some(api),
            Err(fault) => {
                tracing::warn!(code = %fault.code, reason = fault.message, "there is no local API");
                None
            }
        };
        Ok(Self { node, door, api })
    }

    async fn close(self) {
        self.door.close().await;
        if let Some((stop, api)) = self.api {
            let _ = stop.send(());
            let _ = tokio::time::timeout(API_ENDS_WITHIN, api).await;
        }
        self.node.shutdown().await;
    }
}

type Api = (oneshot::Sender<()>, JoinHandle<std::io::Result<()>>);

async fn api(args: &Args, home: &Path, node: &Arc<Host>) -> Result<Api, Fault> {
    let (listener, _) = lull_api::listen(args.api, lull_api::API).await?;
    let address = listener.local_addr().map_err(|error| Fault::new(Code::Internal, error.to_string()))?;
    let keys = Keys::open(home)?;
    node.set_api_url(format!("http://{address}/v1"));
    let (stop, stopped) = oneshot::channel::<()>();
    let door: Arc<dyn NodeApi> = node.clone();
    let served = lull_api::serve(listener, door, keys, async {
        let _ = stopped.await;
    });
    Ok((stop, tokio::spawn(served)))
}
