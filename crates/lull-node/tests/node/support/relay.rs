//! A relay for tests that does nothing by itself: it enrols, greets, and hands everything else to the test.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use lull_net::{Authority, Listener};
use lull_types::{Code, Fault, NodeId};
use lull_wire::{
    Signed,
    control::{self, FromNode, FromRelay},
    enrol::{self, EnrolRequest, EnrolResponse},
    frame,
    identity::{DeviceChain, RelayStatement, SealingCertificate},
};
use quinn::{Connection, RecvStream, SendStream};
use tokio::sync::mpsc;

use super::org::{DAY_S, Org, now_s};

/// What the relay sees.
pub(crate) enum Seen {
    Up(NodeId),
    Said(NodeId, Box<FromNode>),
    Stream(SendStream, RecvStream),
}

#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) connection: Connection,
    pub(crate) chain: DeviceChain,
    pub(crate) sealing: Signed<SealingCertificate>,
    say: mpsc::UnboundedSender<FromRelay>,
}

/// How the relay issues certificates.
#[derive(Clone)]
pub(crate) struct Policy {
    pub(crate) life_s: u64,
    /// Said instead of a certificate.
    pub(crate) refuse: Option<Fault>,
    /// Given instead of root's own.
    pub(crate) statement: Option<Signed<RelayStatement>>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { life_s: DAY_S, refuse: None, statement: None }
    }
}

pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    pub(crate) seen: mpsc::UnboundedReceiver<Seen>,
    pub(crate) peers: Peers,
    pub(crate) policy: Arc<Mutex<Policy>>,
    endpoint: quinn::Endpoint,
    tasks: tokio::task::JoinHandle<()>,
}

#[derive(Clone, Default)]
pub(crate) struct Peers(Arc<Mutex<BTreeMap<NodeId, Peer>>>);

impl Peers {
    pub(crate) fn get(&self, node: NodeId) -> Peer {
        self.0.lock().unwrap()[&node].clone()
    }

    /// Ends what is said to a node, as a relay does that lets it go; its connection stays.
    pub(crate) fn hush(&self, node: NodeId) -> Connection {
        self.0.lock().unwrap().remove(&node).unwrap().connection
    }

    pub(crate) fn say(&self, node: NodeId, message: FromRelay) {
        self.get(node).say.send(message).unwrap();
    }
}

#[derive(Clone)]
struct Desk {
    authority: Arc<Authority>,
    root: lull_wire::PublicKey,
    statement: Signed<RelayStatement>,
    policy: Arc<Mutex<Policy>>,
    peers: Peers,
    seen: mpsc::UnboundedSender<Seen>,
}

impl Relay {
    pub(crate) async fn start(org: &Org) -> Self {
        Self::start_at(org, ([127, 0, 0, 1], 0).into()).await
    }

    pub(crate) async fn start_at(org: &Org, address: SocketAddr) -> Self {
        let listener = Listener { address, reset_key: org.reset_key };
        let endpoint = lull_net::listen(&listener, &org.authority()).unwrap();
        let (seen_sender, seen) = mpsc::unbounded_channel();
        let (peers, policy) = (Peers::default(), Arc::new(Mutex::new(Policy::default())));
        let desk = Desk {
            authority: Arc::new(org.authority()),
            root: org.root(),
            statement: org.statement.clone(),
            policy: policy.clone(),
            peers: peers.clone(),
            seen: seen_sender,
        };
        let accepting = endpoint.clone();
        let tasks = tokio::spawn(async move {
            while let Some(incoming) = accepting.accept().await {
                let desk = desk.clone();
                tokio::spawn(async move {
                    let Ok(connection) = incoming.await else { return };
                    if lull_net::peer(&connection).is_some() {
                        desk.node(connection).await;
                    } else {
                        desk.enrol(connection).await;
                    }
                });
            }
        });
        Self { address: endpoint.local_addr().unwrap(), seen, peers, policy, endpoint, tasks }
    }

    pub(crate) fn at(&self) -> String {
        self.address.to_string()
    }

    /// Ends as a relay does that is told to restart.
    pub(crate) async fn stop(self) -> SocketAddr {
        self.tasks.abort();
        self.endpoint.close(0_u32.into(), b"restart");
        self.endpoint.wait_idle().await;
        self.address
    }

    /// The next thing that `pick` takes; others are dropped.
    pub(crate) async fn wait<T>(&mut self, mut pick: impl FnMut(Seen) -> Option<T>) -> T {
        loop {
            let seen = tokio::time::timeout(super::PATIENCE, self.seen.recv()).await.expect("nothing came").unwrap();
            if let Some(found) = pick(seen) {
                return found;
            }
        }
    }

    pub(crate) async fn up(&mut self) -> NodeId {
        self.wait(|seen| if let Seen::Up(node) = seen { Some(node) } else { None }).await
    }

    pub(crate) async fn said<T>(&mut self, mut pick: impl FnMut(FromNode) -> Option<T>) -> T {
        self.wait(|seen| if let Seen::Said(_, message) = seen { pick(*message) } else { None }).await
    }
}

impl Desk {
    async fn enrol(self, connection: Connection) {
        let Ok((mut send, mut receive)) = connection.accept_bi().await else { return };
        let request: EnrolRequest = frame::read(&mut receive, enrol::BYTES_MAX).await.unwrap().unwrap();
        let device = request.chain.verify(&self.root);
        let policy = self.policy.lock().unwrap().clone();
        let exporter = lull_net::exporter(&connection).unwrap();
        let answer = match (device, policy.refuse) {
            (_, Some(fault)) => EnrolResponse::Refused(fault),
            (Ok(device), None) if device.key.verifies(&enrol::proof(&exporter, &request.transport), &request.proof) => {
                let now = now_s();
                let not_after_s = now + policy.life_s;
                let certificate = self.authority.issue(device.node, &request.transport, now, not_after_s).unwrap();
                EnrolResponse::Certificate {
                    certificate,
                    authority: self.authority.certificate_der().to_vec(),
                    not_after_s,
                    statement: policy.statement.unwrap_or(self.statement),
                }
            }
            _ => EnrolResponse::Refused(Fault::new(Code::BadSeal, "no proof")),
        };
        frame::write(&mut send, &answer, enrol::BYTES_MAX).await.unwrap();
        let _ = send.finish();
        connection.closed().await;
    }

    async fn node(self, connection: Connection) {
        let node = lull_net::peer(&connection).unwrap().node;
        let Ok((mut send, mut receive)) = connection.accept_bi().await else { return };
        let hello: Option<FromNode> = frame::read(&mut receive, control::BYTES_MAX).await.unwrap();
        let Some(FromNode::Hello { chain, sealing, .. }) = hello else { panic!("no hello") };
        let (say, mut messages) = mpsc::unbounded_channel();
        say.send(FromRelay::Welcome { node, now_s: now_s() }).unwrap();
        let peer = Peer { connection: connection.clone(), chain, sealing, say };
        self.peers.0.lock().unwrap().insert(node, peer);
        let _ = self.seen.send(Seen::Up(node));
        let seen = self.seen.clone();
        let streams = async {
            while let Ok((send, receive)) = connection.accept_bi().await {
                let _ = seen.send(Seen::Stream(send, receive));
            }
        };
        let hearing = async {
            while let Ok(Some(message)) = frame::read::<FromNode, _>(&mut receive, control::BYTES_MAX).await {
                let _ = seen.send(Seen::Said(node, Box::new(message)));
            }
        };
        let saying = async {
            while let Some(message) = messages.recv().await {
                let _ = frame::write(&mut send, &message, control::BYTES_MAX).await;
            }
        };
        tokio::select! {
            () = streams => {}
            () = hearing => {}
            () = saying => {}
        }
    }
}
