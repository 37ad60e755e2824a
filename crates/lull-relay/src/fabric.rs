use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use lull_types::{Fault, NodeId};
use quinn::{Connection, RecvStream, SendStream};
use tokio::sync::{mpsc, oneshot};

use crate::close;

/// Messages that may wait for a slow node; one more ends its connection.
pub(crate) const OUTBOX_MAX: usize = 1_024;
/// How long a node may take to open its side for a job, in milliseconds.
const STREAM_OPEN_MAX_MS: u64 = 5_000;
/// How long a last word may take before the connection is closed without it, in milliseconds.
pub(crate) const FAREWELL_MAX_MS: u64 = 500;

/// How the parts of the relay reach a node, wherever its connection ends. Nothing here ever waits for a node, but for
/// [`Fabric::open`].
pub trait Fabric: Send + Sync + 'static {
    /// Queues an encoded message. A node that is not connected gets nothing; one that is too slow loses its connection.
    fn send(&self, node: NodeId, frame: Bytes);

    /// Queues an encoded message for every node.
    fn broadcast(&self, frame: Bytes);

    /// Opens a job's stream to a node; `None` if it is gone or does not let one in.
    fn open(&self, node: NodeId) -> BoxFuture<'_, Option<(SendStream, RecvStream)>>;

    /// Says goodbye and closes the connection.
    fn close(&self, node: NodeId, farewell: Fault);
}

/// All connections end in this process.
#[derive(Debug, Default)]
pub(crate) struct LocalFabric {
    links: Mutex<BTreeMap<NodeId, Link>>,
    generations: AtomicU64,
}

#[derive(Debug)]
struct Link {
    generation: u64,
    connection: Connection,
    outbox: mpsc::Sender<Bytes>,
    farewell: oneshot::Sender<Fault>,
}

/// What a connection's own task reads from.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// Which connection of the node this is; later ones have higher numbers.
    pub(crate) generation: u64,
    pub(crate) frames: mpsc::Receiver<Bytes>,
    pub(crate) farewell: oneshot::Receiver<Fault>,
    /// Where the connection came from that this one pushed out while it was alive.
    pub(crate) replaced: Option<SocketAddr>,
}

impl LocalFabric {
    fn links(&self) -> MutexGuard<'_, BTreeMap<NodeId, Link>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A node's connection, with the first message for it; an older connection of the same node is closed.
    pub(crate) fn join(&self, node: NodeId, connection: &Connection, first: Bytes) -> Inbox {
        let (outbox, frames) = mpsc::channel(OUTBOX_MAX);
        let (farewell, farewells) = oneshot::channel();
        let _ = outbox.try_send(first);
        let mut links = self.links();
        let generation = self.generations.fetch_add(1, Ordering::Relaxed) + 1;
        let old = links.insert(node, Link { generation, connection: connection.clone(), outbox, farewell });
        drop(links);
        let alive = |old: &Link| old.connection.close_reason().is_none();
        let replaced = old.as_ref().filter(|old| alive(old)).map(|old| old.connection.remote_address());
        if let Some(old) = old {
            old.connection.close(close::REPLACED, b"a newer connection of this node took over");
        }
        Inbox { generation, frames, farewell: farewells, replaced }
    }

    pub(crate) fn leave(&self, node: NodeId, generation: u64) {
        let mut links = self.links();
        if links.get(&node).is_some_and(|link| link.generation == generation) {
            links.remove(&node);
        }
    }
}

impl Link {
    fn send(&self, node: NodeId, frame: Bytes) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.outbox.try_send(frame) {
            tracing::warn!(%node, waiting = OUTBOX_MAX, "a node does not read what it is sent: closing its connection");
            self.connection.close(close::TOO_SLOW, b"too many unread messages");
        }
    }
}

impl Fabric for LocalFabric {
    fn send(&self, node: NodeId, frame: Bytes) {
        if let Some(link) = self.links().get(&node) {
            link.send(node, frame);
        }
    }

    fn broadcast(&self, frame: Bytes) {
        for (node, link) in &*self.links() {
            link.send(*node, frame.clone());
        }
    }

    fn open(&self, node: NodeId) -> BoxFuture<'_, Option<(SendStream, RecvStream)>> {
        let connection = self.links().get(&node).map(|link| link.connection.clone());
        async move {
            let limit = Duration::from_millis(STREAM_OPEN_MAX_MS);
            tokio::time::timeout(limit, connection?.open_bi()).await.ok()?.ok()
        }
        .boxed()
    }

    fn close(&self, node: NodeId, farewell: Fault) {
        let Some(link) = self.links().remove(&node) else { return };
        let Link { connection, farewell: way, outbox, .. } = link;
        let _ = way.send(farewell);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(FAREWELL_MAX_MS)).await;
            connection.close(close::DONE, b"goodbye");
            // Until now: a connection whose outbox is gone ends without its farewell.
            drop(outbox);
        });
    }
}
