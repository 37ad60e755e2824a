//! Small, honest nodes that speak to a real relay over real QUIC on the loopback address.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests, each with its own part"
)]

use std::{path::Path, time::Duration};

use lull_net::{TransportIdentity, TransportKey, connect, exporter};
use lull_relay::{
    Relay, RelayOptions,
    admin::{self, TokenWish},
    init,
};
use lull_types::{Code, Epoch, Fault, JobId, Label, ModelHash, NodeId, Usage};
use lull_wire::{
    SecretKey, Signed, Token,
    control::{self, FromNode, FromRelay, Offer, OfferedModel, Reserve, Submit},
    enrol::{self, EnrolRequest, EnrolResponse, proof},
    frame,
    identity::{DeviceCertificate, DeviceChain, SealingCertificate, node_id},
    job::{Grant, HEADER_BYTES_MAX, JobHeader, Outcome, Receipt, Side},
    random,
};
use quinn::{Connection, RecvStream, SendStream};
use tokio::time::timeout;

/// Nothing in these tests may take longer.
pub const PATIENCE: Duration = Duration::from_secs(8);

/// A deadline around anything that should happen soon.
pub async fn soon<F: Future>(what: F) -> F::Output {
    timeout(PATIENCE, what).await.expect("this should have happened by now")
}

pub fn now_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

pub struct Org {
    pub folder: tempfile::TempDir,
    pub relay: Relay,
}

impl Org {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        init(folder.path(), "Example", "127.0.0.1:5855").unwrap();
        let relay = run(folder.path()).await;
        Self { folder, relay }
    }

    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    pub fn address(&self) -> String {
        self.relay.addr().to_string()
    }

    pub fn token(&self, groups: &[&str], uses: u32) -> Token {
        let groups: Vec<String> = groups.iter().map(|&group| group.into()).collect();
        admin::token_create(self.dir(), &TokenWish { groups, uses, ..TokenWish::default() }).unwrap()
    }

    /// A new device that is enrolled and connected.
    pub async fn node(&self, name: &str, groups: &[&str]) -> Node {
        let device = Device::new(&self.token(groups, 1), name);
        let identity = device.enrol(&self.address()).await.unwrap();
        Node::connect(&self.address(), device, &identity).await
    }

    /// A node that offers "m".
    pub async fn lender(&self, name: &str, tps: f32) -> Node {
        let mut node = self.node(name, &["lenders"]).await;
        node.say(&FromNode::Offer(offer("m", 2, tps))).await;
        node
    }

    pub fn metrics(&self) -> String {
        http_get(self.relay.admin_addr(), "/metrics")
    }
}

pub async fn run(dir: &Path) -> Relay {
    let options = RelayOptions { listen: ([127, 0, 0, 1], 0).into(), admin: None };
    Relay::start(dir, options).await.unwrap()
}

pub fn http_get(address: std::net::SocketAddr, path: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

pub fn offer(model: &str, slots: u16, tps: f32) -> Offer {
    let hash = ModelHash([7; 32]);
    let (decode_tps, prefill_tps) = (Some(tps), Some(tps * 10.0));
    Offer {
        models: vec![OfferedModel { name: model.into(), hash, context: 4096, decode_tps, prefill_tps }],
        slots,
        labels: Label::all().into(),
    }
}

pub fn submit(model: &str) -> Submit {
    Submit {
        job: JobId(random()),
        epoch: Epoch::FIRST,
        model: model.into(),
        label: Label::internal(),
        prompt_tokens: 20,
        max_tokens: 50,
        submitter_key: [3; 32],
        check: None,
    }
}

/// A machine's keys.
#[derive(Clone)]
pub struct Device {
    pub key: SecretKey,
    pub chain: DeviceChain,
    pub sealing: Signed<SealingCertificate>,
    pub node: NodeId,
    pub ca_sha256: [u8; 32],
}

impl Device {
    pub fn new(token: &Token, name: &str) -> Self {
        Self::with_key(token, name, SecretKey::generate())
    }

    pub fn with_key(token: &Token, name: &str, key: SecretKey) -> Self {
        let invitation = token.invitation.open(&token.root).unwrap();
        let device = DeviceCertificate {
            invitation: invitation.id,
            key: key.public(),
            name: name.into(),
            created_s: now_s().min(invitation.not_after_s),
        };
        let device = Signed::sign(&device, &token.secret()).unwrap();
        let node = node_id(&key.public());
        let sealing = SealingCertificate { node, key: [9; 32], created_s: now_s() };
        let sealing = Signed::sign(&sealing, &key).unwrap();
        let chain = DeviceChain { invitation: token.invitation.clone(), device };
        let ca_sha256 = token.statement.open(&token.root).unwrap().ca_sha256;
        Self { key, chain, sealing, node, ca_sha256 }
    }

    pub async fn enrol(&self, relay: &str) -> Result<TransportIdentity, Fault> {
        self.enrol_with(relay, |request| request).await
    }

    pub async fn enrol_with(
        &self,
        relay: &str,
        change: impl FnOnce(EnrolRequest) -> EnrolRequest,
    ) -> Result<TransportIdentity, Fault> {
        let connection = soon(connect(relay, self.ca_sha256, None)).await.unwrap();
        let key = TransportKey::generate().unwrap();
        let transport = key.public().unwrap();
        let proof = self.key.sign(&proof(&exporter(&connection).unwrap(), &transport));
        let request = change(EnrolRequest { chain: self.chain.clone(), transport, proof });
        let (mut send, mut recv) = connection.open_bi().await.unwrap();
        frame::write(&mut send, &request, enrol::BYTES_MAX).await.unwrap();
        let response = soon(frame::read(&mut recv, enrol::BYTES_MAX)).await.unwrap().unwrap();
        match response {
            EnrolResponse::Certificate { certificate, authority, not_after_s, .. } => {
                Ok(TransportIdentity { key, certificate, authority, not_after_s })
            }
            EnrolResponse::Refused(fault) => Err(fault),
        }
    }

    pub fn hello(&self) -> FromNode {
        FromNode::Hello {
            chain: self.chain.clone(),
            sealing: self.sealing.clone(),
            version: "0.1.0-test".into(),
            membership: None,
        }
    }

    pub fn receipt(&self, job: JobId, side: Side, tokens: u32) -> FromNode {
        let usage = Usage { prompt_tokens: 20, completion_tokens: tokens };
        let (epoch, outcome) = (Epoch::FIRST, Outcome::Completed);
        let receipt = Receipt { job, epoch, node: self.node, side, usage, outcome };
        FromNode::Receipt(Signed::sign(&receipt, &self.key).unwrap())
    }
}

/// A connected machine.
pub struct Node {
    pub device: Device,
    pub connection: Connection,
    pub send: SendStream,
    pub recv: RecvStream,
}

impl Node {
    pub async fn connect(relay: &str, device: Device, identity: &TransportIdentity) -> Self {
        let mut node = Self::dial(relay, device, identity).await;
        node.say(&node.device.hello()).await;
        match node.hear().await {
            Some(FromRelay::Welcome { node: id, .. }) => assert_eq!(id, node.device.node),
            other => panic!("no welcome but {other:?}"),
        }
        node
    }

    /// Without a Hello.
    pub async fn dial(relay: &str, device: Device, identity: &TransportIdentity) -> Self {
        let connection = soon(connect(relay, device.ca_sha256, Some(identity))).await.unwrap();
        let (send, recv) = connection.open_bi().await.unwrap();
        Self { device, connection, send, recv }
    }

    pub async fn say(&mut self, message: &FromNode) {
        frame::write(&mut self.send, message, control::BYTES_MAX).await.unwrap();
    }

    /// The next message; `None` when the stream or connection has ended.
    /// The next message that is no deny-list: those follow every revocation.
    pub async fn hear(&mut self) -> Option<FromRelay> {
        loop {
            match soon(frame::read(&mut self.recv, control::BYTES_MAX)).await.ok().flatten() {
                Some(FromRelay::Denied(_)) => {}
                message => return message,
            }
        }
    }

    /// The next message that is no catalogue.
    pub async fn next(&mut self) -> FromRelay {
        loop {
            match self.hear().await {
                Some(FromRelay::Catalogue(_)) => {}
                Some(message) => return message,
                None => panic!("the connection ended: {:?}", self.connection.close_reason()),
            }
        }
    }

    pub async fn reserved(&mut self) -> Reserve {
        match self.next().await {
            FromRelay::Reserve(reserve) => reserve,
            other => panic!("no reservation but {other:?}"),
        }
    }

    pub async fn granted(&mut self) -> Signed<Grant> {
        loop {
            match self.next().await {
                FromRelay::Granted { grant, .. } => return grant,
                FromRelay::Queued { .. } => {}
                other => panic!("no grant but {other:?}"),
            }
        }
    }

    pub async fn refused(&mut self) -> Fault {
        match self.next().await {
            FromRelay::Refused { reason, .. } => reason,
            other => panic!("no refusal but {other:?}"),
        }
    }

    pub async fn goodbye(&mut self) -> Code {
        match self.next().await {
            FromRelay::Goodbye(fault) => fault.code,
            other => panic!("no goodbye but {other:?}"),
        }
    }

    /// Waits until the relay's catalogue says that somebody offers the model.
    pub async fn sees(&mut self, model: &str) {
        loop {
            match self.hear().await {
                Some(FromRelay::Catalogue(models)) => {
                    if models.iter().any(|entry| entry.name == model && entry.lenders > 0) {
                        return;
                    }
                }
                other => panic!("no catalogue but {other:?}"),
            }
        }
    }

    pub async fn accept(&mut self, reserve: &Reserve) -> [u8; 16] {
        let nonce = random();
        self.say(&FromNode::Accept { job: reserve.job, epoch: reserve.epoch, nonce }).await;
        nonce
    }

    pub async fn open(&self, grant: &Signed<Grant>) -> Stream {
        let (mut send, recv) = self.connection.open_bi().await.unwrap();
        let header = JobHeader { grant: grant.clone() };
        frame::write(&mut send, &header, HEADER_BYTES_MAX).await.unwrap();
        Stream { send, recv }
    }

    /// The stream that the relay opens for a job, and its header.
    pub async fn taken(&self) -> (Stream, JobHeader) {
        let (send, mut recv) = soon(self.connection.accept_bi()).await.unwrap();
        let header = soon(frame::read(&mut recv, HEADER_BYTES_MAX)).await.unwrap().unwrap();
        (Stream { send, recv }, header)
    }
}

/// A job's stream.
pub struct Stream {
    pub send: SendStream,
    pub recv: RecvStream,
}

impl Stream {
    pub async fn write(&mut self, bytes: &[u8]) {
        self.send.write_all(bytes).await.unwrap();
    }

    pub async fn read(&mut self, bytes: usize) -> Vec<u8> {
        let mut buffer = vec![0; bytes];
        soon(self.recv.read_exact(&mut buffer)).await.unwrap();
        buffer
    }

    /// The code with which the other end reset this stream, or closed the connection.
    pub async fn reset_code(&mut self) -> u64 {
        match soon(self.recv.read_to_end(1 << 20)).await {
            Err(quinn::ReadToEndError::Read(quinn::ReadError::Reset(code))) => code.into_inner(),
            other => panic!("not reset: {other:?}"),
        }
    }
}

/// A job that is running: submitter's end and lender's end.
pub async fn running(submitter: &mut Node, lender: &mut Node) -> (Stream, Stream, JobId) {
    let submit = submit("m");
    submitter.say(&FromNode::Submit(submit.clone())).await;
    let reserve = lender.reserved().await;
    assert_eq!(reserve.job, submit.job);
    lender.accept(&reserve).await;
    let grant = submitter.granted().await;
    let near = submitter.open(&grant).await;
    let (far, header) = lender.taken().await;
    assert_eq!(header.grant, grant);
    (near, far, submit.job)
}
