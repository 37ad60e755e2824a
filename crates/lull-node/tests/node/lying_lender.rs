//! A lender that root has let in and that lies, with the test in its place and in the relay's: its seal is right, and what
//! is under it has to be right as well.

use lull_node::{Node, NodeApi};
use lull_seal::{SealingKey, open_question};
use lull_types::{Code, Epoch, FinishReason, JobId, ModelHash, NodeId, Pseudonym, Token, Usage};
use lull_wire::{
    SecretKey, Signed,
    control::{FromNode, FromRelay, Submit},
    frame,
    identity::{DeviceCertificate, DeviceChain, node_id},
    job::{
        AnswerBody, AnswerFrame, AnswerStatement, Grant, HEADER_BYTES_MAX, JobHeader, OutputHash, QUESTION_BYTES_MAX,
    },
};
use tempfile::TempDir;

use crate::support::{
    asking,
    org::{Org, now_s},
    question,
    relay::{Relay, Seen},
    whole,
};

const MODEL: ModelHash = ModelHash([6; 32]);

/// An answer as an honest lender would give it, to be spoilt.
struct Answer {
    frames: Vec<(AnswerFrame, bool)>,
    end: (FinishReason, String),
    statement: AnswerStatement,
    /// The lender's own key.
    signer: SecretKey,
    signed: bool,
    grants: SecretKey,
}

impl Answer {
    fn honest(grant: &Grant, signer: &SecretKey, grants: &SecretKey) -> Self {
        let frame = |body| (AnswerFrame { epoch: grant.epoch, body }, false);
        let mut output = OutputHash::after(&[]);
        let mut frames = vec![frame(AnswerBody::Prefilled { prompt_tokens: 4, machine: String::new() })];
        for position in 0..2 {
            let id = 40 + position;
            let token = Token { position, id, text: "x".into(), logprob: None, top: Vec::new() };
            output.push(&token);
            frames.push(frame(AnswerBody::Token(token)));
        }
        let output_sha256 = output.finish(FinishReason::Stop, "");
        let statement = AnswerStatement { job: grant.job, epoch: grant.epoch, model: grant.model, output_sha256 };
        Self {
            frames,
            end: (FinishReason::Stop, String::new()),
            statement,
            signer: signer.clone(),
            signed: true,
            grants: grants.clone(),
        }
    }

    /// With its end, which carries the statement.
    fn whole(mut self) -> Vec<(AnswerFrame, bool)> {
        let signed = self.signed.then(|| Signed::sign(&self.statement, &self.signer).unwrap());
        let usage = Usage { prompt_tokens: 4, completion_tokens: 2 };
        let (finish, tail) = self.end;
        let body = AnswerBody::Done { finish, usage, tail, signed };
        let epoch = self.frames[0].0.epoch;
        self.frames.push((AnswerFrame { epoch, body }, true));
        self.frames
    }
}

type Spoil = fn(&mut Answer);

/// With as many tokens as whoever asks has seen by then.
const CASES: [(&str, Code, usize, Spoil); 14] = [
    ("no signature", Code::BadSeal, 2, |a| a.signed = false),
    ("the relay's signature", Code::BadSeal, 2, |a| a.signer = a.grants.clone()),
    ("a stranger's signature", Code::BadSeal, 2, |a| a.signer = SecretKey::generate()),
    ("a word on another job", Code::BadSeal, 2, |a| a.statement.job = JobId([9; 16])),
    ("a word on another run", Code::BadSeal, 2, |a| a.statement.epoch = Epoch(2)),
    ("a word on another model", Code::BadSeal, 2, |a| a.statement.model = ModelHash([9; 32])),
    ("a word on another answer", Code::BadSeal, 2, |a| a.statement.output_sha256[0] ^= 1),
    ("another token than the word is on", Code::BadSeal, 2, |a| {
        let Some((AnswerFrame { body: AnswerBody::Token(token), .. }, _)) = a.frames.last_mut() else { panic!() };
        token.id += 1;
    }),
    ("another text than the word is on", Code::BadSeal, 2, |a| {
        let Some((AnswerFrame { body: AnswerBody::Token(token), .. }, _)) = a.frames.last_mut() else { panic!() };
        token.text = "y".into();
    }),
    ("another end than the word is on", Code::BadSeal, 2, |a| a.end.0 = FinishReason::Length),
    ("another last word than the word is on", Code::BadSeal, 2, |a| a.end.1 = "!".into()),
    ("a token less than the word is on", Code::BadSeal, 1, |a| drop(a.frames.pop())),
    ("a token that says it is the end", Code::BadFrame, 1, |a| a.frames[2].1 = true),
    ("a token of another run", Code::BadFrame, 1, |a| a.frames[2].0.epoch = Epoch(2)),
];

/// A node that asks, and a lender that is not there.
struct Stage {
    org: Org,
    relay: Relay,
    asker: std::sync::Arc<Node>,
    id: NodeId,
    _home: TempDir,
    device: SecretKey,
    chain: DeviceChain,
}

impl Stage {
    async fn new() -> Self {
        let org = Org::new();
        let mut relay = Relay::start(&org).await;
        let (home, enrolled) = org.home(&relay.at(), "asker").await;
        let asker = Node::start(home.path(), asking()).await.unwrap();
        relay.up().await;
        let (token, device) = (org.token(&relay.at()), SecretKey::generate());
        let invitation = token.invitation.claims().unwrap().id;
        let (key, created_s) = (device.public(), now_s());
        let certificate = DeviceCertificate { invitation, key, name: "liar".into(), created_s };
        let certificate = Signed::sign(&certificate, &token.secret()).unwrap();
        let chain = DeviceChain { invitation: token.invitation.clone(), device: certificate };
        Self { org, relay, asker, id: enrolled.node, _home: home, device, chain }
    }

    /// Asks, answers, and says how that ended and how many tokens were shown.
    async fn play(&mut self, spoil: Spoil) -> (Result<(), Code>, usize) {
        let chat = self.asker.chat(question("hello", 50)).await.unwrap();
        let submit =
            self.relay.said(|message| if let FromNode::Submit(submit) = message { Some(submit) } else { None });
        let submit = submit.await;
        let sealing = SealingKey::generate();
        let grant = self.grant(&submit);
        let signed = Signed::sign(&grant, &self.org.grants).unwrap();
        let certificate = sealing.certificate(grant.lender, &self.device, now_s()).unwrap();
        let granted = FromRelay::Granted { grant: signed, lender: self.chain.clone(), sealing: certificate };
        self.relay.peers.say(self.id, granted);
        let stream =
            self.relay.wait(|seen| if let Seen::Stream(send, read) = seen { Some((send, read)) } else { None });
        let (mut send, mut receive) = stream.await;
        let header: JobHeader = frame::read(&mut receive, HEADER_BYTES_MAX).await.unwrap().unwrap();
        let sealed = frame::read_bytes(&mut receive, QUESTION_BYTES_MAX).await.unwrap().unwrap();
        let (_, mut sealer) = open_question(&header.grant, &submit.submitter_key, &sealed, &sealing).unwrap();
        let mut answer = Answer::honest(&grant, &self.device, &self.org.grants);
        spoil(&mut answer);
        for (frame, last) in answer.whole() {
            let Ok(frame) = sealer.seal(&frame, last) else { break };
            // Whoever asks may have left already.
            let _ = send.write_all(&frame).await;
        }
        let _ = send.finish();
        let events = whole(chat).await;
        let tokens = events.iter().filter(|event| matches!(event, lull_types::ChatEvent::Token(_))).count();
        match events.last() {
            Some(lull_types::ChatEvent::Failed(fault)) => (Err(fault.code), tokens),
            _ => (Ok(()), tokens),
        }
    }

    fn grant(&self, submit: &Submit) -> Grant {
        Grant {
            job: submit.job,
            epoch: submit.epoch,
            lender: node_id(&self.device.public()),
            nonce: [1; 16],
            model: MODEL,
            label: submit.label.clone(),
            pseudonym: Pseudonym([7; 16]),
            submitter_key: submit.submitter_key,
            not_after_s: now_s() + 30,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_its_lender_does_not_stand_by_has_no_good_end() {
    let mut stage = Stage::new().await;
    for (name, code, tokens, spoil) in CASES {
        assert_eq!(stage.play(|_| {}).await, (Ok(()), 2), "{name}: the control");
        assert_eq!(stage.play(spoil).await, (Err(code), tokens), "{name}");
    }
    stage.asker.shutdown().await;
}
