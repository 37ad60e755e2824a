//! A lender in front of a relay that lies: each wrong grant, header and question is refused, and harms nothing.

use std::sync::Arc;

use lull_engine::scripted::Script;
use lull_node::Node;
use lull_seal::EphemeralKey;
use lull_types::{Code, Epoch, JobId, Label, Message, ModelHash, NodeId, Pseudonym, Role, Sampling};
use lull_wire::{
    Signed,
    control::{FromNode, FromRelay, Reserve},
    frame,
    job::{ANSWER_BYTES_MAX, AnswerBody, Asker, Grant, HEADER_BYTES_MAX, JobHeader, Outcome, Question, StreamEnd},
    random,
};
use quinn::{ReadError, RecvStream};
use tempfile::TempDir;

use crate::support::{
    MODEL, add_model, lending,
    org::{DAY_S, Org, now_s},
    relay::Relay,
    until,
};

/// A lender, and the test in the relay's place.
pub(crate) struct Bench {
    pub(crate) org: Org,
    pub(crate) relay: Relay,
    pub(crate) node: Arc<Node>,
    pub(crate) id: NodeId,
    model: ModelHash,
    pub(crate) key: EphemeralKey,
    _home: TempDir,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let org = Org::new();
        let mut relay = Relay::start(&org).await;
        let (home, enrolled) = org.home(&relay.at(), "lender").await;
        add_model(home.path(), MODEL, &Script { length: 3, ..Script::default() });
        let node = Node::start(home.path(), lending()).await.unwrap();
        let pick = |message| match message {
            FromNode::Offer(offer) => offer.models.first().map(|model| model.hash),
            _ => None,
        };
        let model = relay.said(pick).await;
        Self { org, relay, node, id: enrolled.node, model, key: EphemeralKey::generate(), _home: home }
    }

    fn reserve(&self) -> Reserve {
        Reserve {
            job: JobId(random()),
            epoch: Epoch::FIRST,
            model: self.model,
            label: Label::internal(),
            pseudonym: Pseudonym([7; 16]),
            prompt_tokens: 10,
            max_tokens: 50,
        }
    }

    /// A reservation that the lender has accepted, as a grant.
    pub(crate) async fn accepted(&mut self) -> Grant {
        let reserve = self.reserve();
        self.relay.peers.say(self.id, FromRelay::Reserve(reserve.clone()));
        let pick = |message| match message {
            FromNode::Accept { job, nonce, .. } if job == reserve.job => Some(nonce),
            FromNode::Decline { reason, .. } => panic!("{reason}"),
            _ => None,
        };
        let nonce = self.relay.said(pick).await;
        Grant {
            job: reserve.job,
            epoch: reserve.epoch,
            lender: self.id,
            nonce,
            model: reserve.model,
            label: reserve.label,
            pseudonym: reserve.pseudonym,
            submitter_key: self.key.public(),
            not_after_s: now_s() + 30,
        }
    }

    pub(crate) fn sign(&self, grant: &Grant) -> Signed<Grant> {
        Signed::sign(grant, &self.org.grants).unwrap()
    }

    /// The answer to a question under a grant, sealed with `key`: its frames, or the code of a refusal.
    async fn answer(&self, grant: Signed<Grant>, key: &EphemeralKey) -> Result<Vec<AnswerBody>, u64> {
        let asker = self.org.asker(&grant);
        self.ask(grant, key, Some(asker)).await
    }

    /// The same for somebody who says who they are, or does not.
    pub(crate) async fn ask(
        &self,
        grant: Signed<Grant>,
        key: &EphemeralKey,
        asker: Option<Asker>,
    ) -> Result<Vec<AnswerBody>, u64> {
        let message = Message { role: Role::User, content: "hello".into() };
        let sampling = Sampling { max_tokens: 50, ..Sampling::default() };
        let question = Question { messages: vec![message], sampling, prefix: Vec::new(), asker };
        let peer = self.relay.peers.get(self.id);
        let sealing = peer.chain.verify_sealing(&self.org.root(), &peer.sealing).unwrap().1;
        let (sealed, mut opener) = lull_seal::seal_question(&grant, &sealing, key, &question).unwrap();
        let (mut send, mut receive) = peer.connection.open_bi().await.unwrap();
        frame::write(&mut send, &JobHeader { grant }, HEADER_BYTES_MAX).await.unwrap();
        // The lender may have refused already.
        let _ = send.write_all(&sealed).await;
        let _ = send.finish();
        let mut bodies = Vec::new();
        loop {
            let body = read(&mut receive).await?;
            let (answer, last) = opener.open(&body).unwrap();
            bodies.push(answer.body);
            if last {
                return Ok(bodies);
            }
        }
    }

    async fn is_refused(&self, grant: Signed<Grant>) {
        assert_eq!(self.answer(grant, &self.key).await, Err(StreamEnd::Refused as u64));
    }
}

async fn read(receive: &mut RecvStream) -> Result<Vec<u8>, u64> {
    match frame::read_bytes(receive, ANSWER_BYTES_MAX).await {
        Ok(body) => Ok(body.expect("a last frame")),
        Err(frame::FrameError::Io(error)) => match error.get_ref().unwrap().downcast_ref() {
            Some(ReadError::Reset(code)) => Err(code.into_inner()),
            other => panic!("{other:?}"),
        },
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_grant_is_answered_once_and_receipted() {
    let mut bench = Bench::new().await;
    let grant = bench.accepted().await;
    let signed = bench.sign(&grant);
    let bodies = bench.answer(signed.clone(), &bench.key).await.unwrap();
    assert!(matches!(bodies[0], AnswerBody::Prefilled { .. }));
    assert_eq!(bodies.iter().filter(|body| matches!(body, AnswerBody::Token(_))).count(), 3);
    assert!(matches!(bodies.last(), Some(AnswerBody::Done { .. })));
    let pick = |message| if let FromNode::Receipt(receipt) = message { Some(receipt) } else { None };
    let receipt = bench.relay.said(pick).await;
    let device = bench.relay.peers.get(bench.id).chain.verify(&bench.org.root()).unwrap();
    assert_eq!(receipt.open(&device.key).unwrap().outcome, Outcome::Completed);
    bench.is_refused(signed).await;
    bench.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_grants_are_refused_and_leave_the_right_one_alone() {
    let mut bench = Bench::new().await;
    let right = bench.accepted().await;
    type Change = fn(&mut Grant);
    let changes: [Change; 11] = [
        |grant| grant.nonce = random(),
        |grant| grant.lender = NodeId(random()),
        |grant| grant.job = JobId(random()),
        |grant| grant.epoch = Epoch(2),
        |grant| grant.model = ModelHash(random()),
        |grant| grant.label = Label::public(),
        |grant| grant.pseudonym = Pseudonym(random()),
        |grant| grant.not_after_s = now_s() - 301,
        |grant| grant.not_after_s = now_s() - 2 * DAY_S,
        |grant| grant.not_after_s = now_s() + 2 * DAY_S,
        |grant| grant.not_after_s = u64::MAX,
    ];
    for change in changes {
        let mut wrong = right.clone();
        change(&mut wrong);
        bench.is_refused(bench.sign(&wrong)).await;
    }
    let forged = Signed::sign(&right, &lull_wire::SecretKey::generate()).unwrap();
    bench.is_refused(forged).await;
    assert!(bench.answer(bench.sign(&right), &bench.key).await.is_ok());
    bench.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_sealed_with_another_key_is_refused_and_its_slot_freed() {
    let mut bench = Bench::new().await;
    let grant = bench.accepted().await;
    let foreign = EphemeralKey::generate();
    assert_eq!(bench.answer(bench.sign(&grant), &foreign).await, Err(StreamEnd::Refused as u64));
    let grant = bench.accepted().await;
    assert!(bench.answer(bench.sign(&grant), &bench.key).await.is_ok());
    bench.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_longer_answer_than_reserved_is_a_sealed_fault() {
    let mut bench = Bench::new().await;
    let reserve = Reserve { max_tokens: 49, ..bench.reserve() };
    bench.relay.peers.say(bench.id, FromRelay::Reserve(reserve.clone()));
    let pick = |message| if let FromNode::Accept { nonce, .. } = message { Some(nonce) } else { None };
    let nonce = bench.relay.said(pick).await;
    let grant = Grant {
        job: reserve.job,
        epoch: reserve.epoch,
        lender: bench.id,
        nonce,
        model: reserve.model,
        label: reserve.label,
        pseudonym: reserve.pseudonym,
        submitter_key: bench.key.public(),
        not_after_s: now_s() + 30,
    };
    let bodies = bench.answer(bench.sign(&grant), &bench.key).await.unwrap();
    assert!(matches!(&bodies[..], [AnswerBody::Failed(fault)] if fault.code == Code::BadRequest));
    bench.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_accepted_than_there_are_slots_and_a_release_frees_one() {
    let mut bench = Bench::new().await;
    let held = bench.accepted().await;
    let pick = |message| if let FromNode::Decline { reason, .. } = message { Some(reason.code) } else { None };
    bench.relay.peers.say(bench.id, FromRelay::Reserve(bench.reserve()));
    assert_eq!(bench.relay.said(pick).await, Code::Busy);
    bench.relay.peers.say(bench.id, FromRelay::Release { job: held.job, epoch: held.epoch });
    let grant = bench.accepted().await;
    bench.is_refused(bench.sign(&held)).await;
    assert!(bench.answer(bench.sign(&grant), &bench.key).await.is_ok());
    let unknown = Reserve { model: ModelHash(random()), ..bench.reserve() };
    bench.relay.peers.say(bench.id, FromRelay::Reserve(unknown));
    assert_eq!(bench.relay.said(pick).await, Code::ModelUnknown);
    bench.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_on_a_stream_is_refused() {
    let bench = Bench::new().await;
    let peer = bench.relay.peers.get(bench.id);
    for noise in [&b"\xff\xff\xff\xff"[..], b"\x04\0\0\0abcd", b"GET / HTTP/1.1\r\n\r\n", b""] {
        let (mut send, mut receive) = peer.connection.open_bi().await.unwrap();
        send.write_all(noise).await.unwrap();
        send.finish().unwrap();
        assert_eq!(read(&mut receive).await, Err(StreamEnd::Refused as u64));
    }
    until(&bench.node, |status| matches!(status.relay, lull_types::LinkView::Up { .. })).await;
    bench.node.shutdown().await;
}
