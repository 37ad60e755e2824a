//! On top of the test relay: brings each question to a lender and splices their streams, honestly or not.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use lull_types::{JobId, NodeId, Pseudonym};
use lull_wire::{
    SecretKey, Signed,
    control::{self, CatalogueModel, FromNode, FromRelay, Offer, Reserve, Submit},
    frame,
    identity::{DeviceChain, SealingCertificate},
    job::{ANSWER_BYTES_MAX, Grant, HEADER_BYTES_MAX, JobHeader, Receipt, StreamEnd},
};
use quinn::{Connection, RecvStream, SendStream, VarInt};
use tokio::sync::mpsc;

use super::{
    org::{Org, now_s},
    relay::{Peers, Relay, Seen},
};

/// A grant on its way, with all that a malicious relay may exchange.
pub(crate) struct Forgery<'a> {
    pub(crate) grant: Grant,
    pub(crate) signer: SecretKey,
    pub(crate) chain: DeviceChain,
    pub(crate) sealing: Signed<SealingCertificate>,
    pub(crate) submitter: NodeId,
    pub(crate) peers: &'a Peers,
}

/// What becomes of an answer's frame: its number, from 1, its body, and all that was kept of this answer and others.
pub(crate) type Frames = fn(usize, Vec<u8>, &mut Vec<Vec<u8>>) -> Vec<Vec<u8>>;

/// What a malicious relay does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Evil {
    /// Nothing.
    Honest,
    /// Puts its own sealing key in the lender's place, signed by itself.
    SealingKey,
    /// Puts another member's chain and sealing key there.
    OtherMember,
    /// Signs the grant with a key of its own.
    GrantKey,
    /// Names its own key as the submitter's.
    SubmitterKey,
    /// Grants another label.
    Label,
    /// Sends each answer frame twice.
    Replay,
    /// Drops the second answer frame.
    Drop,
    /// Flips one bit of the second answer frame.
    Flip,
    /// Ends the answer's stream properly, but after its first token.
    Cut,
    /// Changes a grant, or whom it leads to.
    Grant(fn(&mut Forgery<'_>)),
    /// Carries other frames of an answer than those that came.
    Frames(Frames),
}

/// What the broker tells the test.
#[derive(Debug)]
pub(crate) enum Note {
    Offer(Offer),
    Accepted,
    Declined,
    Cancelled,
    Receipt(Receipt),
    /// A message to the relay, as it came.
    Told(Vec<u8>),
    /// A frame of a job's stream, as the relay sees it.
    Carried(Vec<u8>),
}

/// What a malicious relay keeps of all answers.
type Kept = Arc<Mutex<Vec<Vec<u8>>>>;

struct Asked {
    submitter: NodeId,
    submit: Submit,
    lender: NodeId,
    model: lull_types::ModelHash,
}

pub(crate) struct Broker {
    peers: Peers,
    grants: SecretKey,
    evil: Evil,
    kept: Kept,
    offers: BTreeMap<NodeId, Offer>,
    asked: BTreeMap<JobId, Asked>,
    waiting: Vec<(NodeId, Submit)>,
    notes: mpsc::UnboundedSender<Note>,
}

/// Runs a broker on a relay; the relay goes with it.
pub(crate) fn broker(org: &Org, mut relay: Relay, evil: Evil) -> mpsc::UnboundedReceiver<Note> {
    let (notes, receiver) = mpsc::unbounded_channel();
    let mut broker = Broker {
        peers: relay.peers.clone(),
        grants: org.grants.clone(),
        evil,
        kept: Kept::default(),
        offers: BTreeMap::new(),
        asked: BTreeMap::new(),
        waiting: Vec::new(),
        notes,
    };
    tokio::spawn(async move {
        while let Some(seen) = relay.seen.recv().await {
            broker.handle(seen);
        }
    });
    receiver
}

impl Broker {
    fn handle(&mut self, seen: Seen) {
        match seen {
            Seen::Up(node) => self.peers.say(node, FromRelay::Catalogue(self.catalogue())),
            Seen::Said(node, message) => self.said(node, *message),
            Seen::Stream(send, receive) => {
                let lenders: BTreeMap<JobId, Connection> =
                    self.asked.iter().map(|(job, asked)| (*job, self.peers.get(asked.lender).connection)).collect();
                let (kept, notes) = (Arc::clone(&self.kept), self.notes.clone());
                tokio::spawn(splice(send, receive, lenders, Wire { evil: self.evil, kept, notes }));
            }
        }
    }

    fn said(&mut self, node: NodeId, message: FromNode) {
        let _ = self.notes.send(Note::Told(frame::encode(&message, control::BYTES_MAX).unwrap()));
        match message {
            FromNode::Offer(offer) => {
                self.offers.insert(node, offer.clone());
                let _ = self.notes.send(Note::Offer(offer));
                for (submitter, submit) in std::mem::take(&mut self.waiting) {
                    self.submit(submitter, submit);
                }
            }
            FromNode::Submit(submit) => self.submit(node, submit),
            FromNode::Accept { job, nonce, .. } => {
                let _ = self.notes.send(Note::Accepted);
                self.grant(job, nonce);
            }
            FromNode::Decline { job, epoch, reason } => {
                let _ = self.notes.send(Note::Declined);
                if let Some(asked) = self.asked.get(&job) {
                    self.peers.say(asked.submitter, FromRelay::Refused { job, epoch, reason });
                }
            }
            FromNode::Cancel { job } => {
                let _ = self.notes.send(Note::Cancelled);
                self.waiting.retain(|(_, submit)| submit.job != job);
            }
            FromNode::Receipt(receipt) => {
                let _ = self.notes.send(Note::Receipt(receipt.claims().unwrap()));
            }
            FromNode::Follows { .. } | FromNode::Checked { .. } | FromNode::Login { .. } => {}
            FromNode::Hello { .. } => panic!("a second hello"),
        }
    }

    fn catalogue(&self) -> Vec<CatalogueModel> {
        let models = self.offers.values().flat_map(|offer| &offer.models);
        let entry = |model: &lull_wire::control::OfferedModel| CatalogueModel {
            name: model.name.clone(),
            hash: Some(model.hash),
            lenders: 1,
            context: Some(model.context),
            decode_tps: model.decode_tps,
        };
        models.map(entry).collect()
    }

    fn submit(&mut self, submitter: NodeId, submit: Submit) {
        let found = self.offers.iter().filter(|(_, offer)| offer.slots > 0).find_map(|(node, offer)| {
            offer.models.iter().find(|model| model.name == submit.model).map(|model| (*node, model.hash))
        });
        let job = submit.job;
        let Some((lender, model)) = found else {
            self.peers.say(submitter, FromRelay::Queued { job, ahead: 0 });
            self.waiting.push((submitter, submit));
            return;
        };
        let reserve = Reserve {
            job,
            epoch: submit.epoch,
            model,
            label: submit.label.clone(),
            pseudonym: Pseudonym([7; 16]),
            prompt_tokens: submit.prompt_tokens,
            max_tokens: submit.max_tokens,
        };
        self.asked.insert(job, Asked { submitter, submit, lender, model });
        self.peers.say(lender, FromRelay::Reserve(reserve));
    }

    fn grant(&mut self, job: JobId, nonce: [u8; 16]) {
        let Asked { submitter, submit, lender, model } = &self.asked[&job];
        let peer = self.peers.get(*lender);
        let (mut chain, mut sealing) = (peer.chain, peer.sealing);
        let mut grant = Grant {
            job,
            epoch: submit.epoch,
            lender: *lender,
            nonce,
            model: *model,
            label: submit.label.clone(),
            pseudonym: Pseudonym([7; 16]),
            submitter_key: submit.submitter_key,
            not_after_s: now_s() + 30,
        };
        let mut signer = self.grants.clone();
        match self.evil {
            Evil::SealingKey => {
                let mine = lull_seal::SealingKey::generate();
                sealing = mine.certificate(*lender, &SecretKey::generate(), now_s()).unwrap();
            }
            Evil::OtherMember => {
                let other = self.peers.get(*submitter);
                (chain, sealing) = (other.chain, other.sealing);
            }
            Evil::GrantKey => signer = SecretKey::generate(),
            Evil::SubmitterKey => grant.submitter_key = lull_seal::EphemeralKey::generate().public(),
            Evil::Label => grant.label = lull_types::Label::public(),
            Evil::Grant(change) => {
                let mut forgery = Forgery { grant, signer, chain, sealing, submitter: *submitter, peers: &self.peers };
                change(&mut forgery);
                Forgery { grant, signer, chain, sealing, .. } = forgery;
            }
            Evil::Honest | Evil::Replay | Evil::Drop | Evil::Flip | Evil::Cut | Evil::Frames(_) => {}
        }
        let grant = Signed::sign(&grant, &signer).unwrap();
        self.peers.say(*submitter, FromRelay::Granted { grant, lender: chain, sealing });
    }
}

/// How frames are carried.
#[derive(Clone)]
struct Wire {
    evil: Evil,
    kept: Kept,
    notes: mpsc::UnboundedSender<Note>,
}

async fn splice(send: SendStream, mut receive: RecvStream, lenders: BTreeMap<JobId, Connection>, wire: Wire) {
    let header: JobHeader = frame::read(&mut receive, HEADER_BYTES_MAX).await.unwrap().unwrap();
    let lender = &lenders[&header.grant.claims().unwrap().job];
    let Ok((mut to_lender, from_lender)) = lender.open_bi().await else { return };
    frame::write(&mut to_lender, &header, HEADER_BYTES_MAX).await.unwrap();
    let honest = Wire { evil: Evil::Honest, ..wire.clone() };
    tokio::join!(carry(receive, to_lender, honest), carry(from_lender, send, wire));
}

/// Carries one direction, frame by frame, and passes resets and stops on.
async fn carry(mut from: RecvStream, mut to: SendStream, wire: Wire) {
    let cancelled = VarInt::from_u32(StreamEnd::Cancelled as u32);
    let mut count = 0;
    loop {
        let stopped = to.stopped();
        let body = tokio::select! {
            _ = stopped => {
                let _ = from.stop(cancelled);
                return;
            }
            body = frame::read_bytes(&mut from, 8 * ANSWER_BYTES_MAX) => body,
        };
        let Ok(Some(mut body)) = body.map_err(|error| to.reset(end_of(&error))) else {
            let _ = to.finish();
            return;
        };
        count += 1;
        let _ = wire.notes.send(Note::Carried(body.clone()));
        let mut bodies = Vec::new();
        match (wire.evil, count) {
            (Evil::Drop, 2) => continue,
            (Evil::Flip, 2) => body[3] ^= 1,
            (Evil::Cut, 6) => {
                let _ = to.finish();
                return;
            }
            (Evil::Replay, _) => bodies.push(body.clone()),
            _ => {}
        }
        match wire.evil {
            Evil::Frames(change) => bodies = change(count, body, &mut wire.kept.lock().unwrap()),
            _ => bodies.push(body),
        }
        for body in bodies {
            let frame = [&u32::try_from(body.len()).unwrap().to_le_bytes(), body.as_slice()].concat();
            if to.write_all(&frame).await.is_err() {
                let _ = from.stop(cancelled);
                return;
            }
        }
    }
}

/// The code that one side gave for ending its stream; without one it was lost.
fn end_of(error: &frame::FrameError) -> VarInt {
    let frame::FrameError::Io(error) = error else { return VarInt::from_u32(StreamEnd::LenderLost as u32) };
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(quinn::ReadError::Reset(code)) => *code,
        _ => VarInt::from_u32(StreamEnd::LenderLost as u32),
    }
}
