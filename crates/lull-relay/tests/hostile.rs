//! What strangers and broken or lying nodes send: each gets a clear error, and the relay goes on serving the others.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::sync::Arc;

use common::{Device, Node, Org, now_s, offer, running, soon, submit};
use lull_net::{Authority, TransportIdentity, TransportKey};
use lull_types::{Code, Epoch, Fault, JobId, NodeId, Usage};
use lull_wire::{
    ALPN_NODE, RELAY_NAME, SecretKey, Signed,
    control::{self, FromNode, FromRelay},
    enrol::{self, EnrolResponse},
    frame,
    identity::SealingCertificate,
    job::{Grant, HEADER_BYTES_MAX, JobHeader, Outcome, Receipt, Side, StreamEnd},
    random,
};

const MARKER: &str = "MARKER-that-must-not-come-back";

/// A body with its length in front.
fn framed(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).unwrap().to_le_bytes(), body].concat()
}

fn string(text: &str) -> Vec<u8> {
    [&[0xd9, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

/// A map with one entry.
fn variant(name: &str, content: &[u8]) -> Vec<u8> {
    [&[0x81], string(name).as_slice(), content].concat()
}

/// Byte sequences that are no message at any boundary.
fn nonsense(limit: usize) -> Vec<(&'static str, Vec<u8>)> {
    let huge = |marker: u8| framed(&[marker, 0xff, 0xff, 0xff, 0xff]);
    let over = u32::try_from(limit + 1).unwrap().to_le_bytes();
    vec![
        ("an empty frame", framed(&[])),
        ("half a length", vec![1, 0]),
        ("a length alone", vec![9, 0, 0, 0]),
        ("a body that ends early", vec![10, 0, 0, 0, 1, 2, 3]),
        ("the longest length", vec![0xff; 8]),
        ("one byte over the limit", over.to_vec()),
        ("nil", framed(&[0xc0])),
        ("the reserved marker", framed(&[0xc1])),
        ("true", framed(&[0xc3])),
        ("a number", framed(&[42])),
        ("a float", framed(&[0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0])),
        ("an empty list", framed(&[0x90])),
        ("an empty map", framed(&[0x80])),
        ("an unknown variant", framed(&string("Nonsense"))),
        ("an unknown variant with content", framed(&variant("Nonsense", &string(MARKER)))),
        ("two variants", framed(&[&[0x82], string("Cancel").as_slice(), &[0x80], &string("Offer"), &[0x80]].concat())),
        ("a number for a name", framed(&[0x81, 1, 2])),
        ("text that is not UTF-8", framed(&[0xa4, 0xff, 0xfe, 0xfd, 0xfc])),
        ("an extension", framed(&[0xd4, 1, 2])),
        ("deep lists", framed(&[0x91; 5_000])),
        ("deep maps", framed(&b"\x81\xa1a".repeat(2_000))),
        ("a list that claims to be huge", huge(0xdd)),
        ("a map that claims to be huge", huge(0xdf)),
        ("bytes that claim to be huge", huge(0xc6)),
        ("a text that claims to be huge", huge(0xdb)),
        ("zeros", vec![0; 1_000]),
        ("HTTP", b"POST /v1/chat/completions HTTP/1.1\r\n\r\n".to_vec()),
        ("TLS", [&[0x16, 3, 1, 2, 0, 1], [0_u8; 90].as_slice()].concat()),
        ("a person's text", framed(&string(MARKER))),
    ]
}

/// Frames that are nearly messages of the control stream.
fn nearly_control(device: &Device) -> Vec<(&'static str, Vec<u8>)> {
    let encode = |message: &FromNode| frame::encode(message, control::BYTES_MAX).unwrap();
    let cancel = encode(&FromNode::Cancel { job: JobId([1; 16]) });
    let mut trailing = cancel.clone();
    trailing.push(0);
    trailing[0] += 1;
    let mut wrong_id = cancel.clone();
    *wrong_id.last_mut().unwrap() = b'z';
    let mut bad_label = encode(&FromNode::Submit(submit("m")));
    let at = bad_label.windows(8).position(|window| window == b"internal").unwrap();
    bad_label[at] = b'I';
    let hello = encode(&device.hello());
    let cut = |bytes: usize| framed(&hello[4..4 + bytes]);
    vec![
        ("a byte left over", trailing),
        ("an id that is no id", wrong_id),
        ("a label that is none", bad_label),
        ("Hello with a number in it", framed(&variant("Hello", &[1]))),
        ("Hello without its fields", framed(&variant("Hello", &[0x80]))),
        ("Submit without its fields", framed(&variant("Submit", &[0x80]))),
        ("an offer of a number", framed(&variant("Offer", &[0x82, 0xa6, b'm', b'o', b'd', b'e', b'l', b's', 1]))),
        ("Cancel with another's fields", framed(&variant("Cancel", &variant("model", &string(MARKER))))),
        ("Accept with text for a nonce", framed(&variant("Accept", &variant("nonce", &string(MARKER))))),
        ("Hello cut at 1", cut(1)),
        ("Hello cut at 10", cut(10)),
        ("Hello cut at 100", cut(100)),
        ("Hello cut at its last byte", cut(hello.len() - 5)),
        ("a message for nodes", framed(&string("Welcome"))),
    ]
}

fn assert_clear(name: &str, fault: &Fault) {
    let codes = [Code::BadFrame, Code::BadRequest, Code::BadSeal];
    assert!(codes.contains(&fault.code), "{name}: {fault}");
    assert!(!fault.message.is_empty() && !fault.message.contains("MARKER"), "{name}: {fault}");
}

struct Attacker {
    device: Device,
    identity: TransportIdentity,
    relay: String,
    tried: usize,
}

impl Attacker {
    async fn of(org: &Org) -> Self {
        let device = Device::new(&org.token(&[], 1), "attacker");
        let identity = device.enrol(&org.address()).await.unwrap();
        Self { device, identity, relay: org.address(), tried: 0 }
    }

    async fn node(&self) -> Node {
        Node::connect(&self.relay, self.device.clone(), &self.identity).await
    }

    /// Sends bytes on the control stream, and expects a goodbye.
    async fn on_control(&mut self, greet: bool, name: &str, bytes: &[u8]) {
        self.tried += 1;
        let mut node =
            if greet { self.node().await } else { Node::dial(&self.relay, self.device.clone(), &self.identity).await };
        node.send.write_all(bytes).await.unwrap();
        let _ = node.send.finish();
        match node.next().await {
            FromRelay::Goodbye(fault) => assert_clear(name, &fault),
            other => panic!("{name}: {other:?}"),
        }
        soon(node.connection.closed()).await;
    }

    async fn on_enrolment(&mut self, name: &str, bytes: &[u8]) {
        self.tried += 1;
        let connection = soon(lull_net::connect(&self.relay, self.device.ca_sha256, None)).await.unwrap();
        let (mut send, mut recv) = connection.open_bi().await.unwrap();
        send.write_all(bytes).await.unwrap();
        let _ = send.finish();
        match soon(frame::read(&mut recv, enrol::BYTES_MAX)).await.unwrap() {
            Some(EnrolResponse::Refused(fault)) => assert_clear(name, &fault),
            other => panic!("{name}: {other:?}"),
        }
        soon(connection.closed()).await;
    }

    async fn on_job_stream(&mut self, node: &Node, name: &str, bytes: &[u8]) {
        self.tried += 1;
        let (mut send, mut recv) = node.connection.open_bi().await.unwrap();
        send.write_all(bytes).await.unwrap();
        let _ = send.finish();
        match soon(recv.read_to_end(100)).await {
            Err(quinn::ReadToEndError::Read(quinn::ReadError::Reset(code))) => {
                assert_eq!(code.into_inner(), StreamEnd::Refused as u64, "{name}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// A job that goes all the way between two nodes that have been connected all along.
async fn still_serves(submitter: &mut Node, lender: &mut Node) {
    let (mut near, mut far, _) = running(submitter, lender).await;
    near.write(b"question").await;
    assert_eq!(far.read(8).await, b"question");
    far.write(b"answer").await;
    far.send.finish().unwrap();
    assert_eq!(soon(near.recv.read_to_end(10)).await.unwrap(), b"answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_a_hundred_malformed_frames_each_get_a_clear_error() {
    let org = Org::start().await;
    let mut lender = org.lender("lender", 20.0).await;
    let mut submitter = org.node("asker", &[]).await;
    submitter.sees("m").await;
    let mut attacker = Attacker::of(&org).await;
    for (name, bytes) in nonsense(control::BYTES_MAX).into_iter().chain(nearly_control(&attacker.device)) {
        attacker.on_control(false, name, &bytes).await;
        attacker.on_control(true, name, &bytes).await;
    }
    still_serves(&mut submitter, &mut lender).await;
    for (name, bytes) in nonsense(enrol::BYTES_MAX) {
        attacker.on_enrolment(name, &bytes).await;
    }
    let node = attacker.node().await;
    for (name, bytes) in nonsense(HEADER_BYTES_MAX) {
        attacker.on_job_stream(&node, name, &bytes).await;
    }
    assert!(attacker.tried >= 140, "{}", attacker.tried);
    still_serves(&mut submitter, &mut lender).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn well_formed_lies_lead_nowhere() {
    let org = Org::start().await;
    let mut lender = org.lender("lender", 20.0).await;
    let mut submitter = org.node("asker", &[]).await;
    submitter.sees("m").await;
    let (mut near, mut far, job) = running(&mut submitter, &mut lender).await;
    let mut attacker = Attacker::of(&org).await;
    let mut node = attacker.node().await;
    let (epoch, nonce) = (Epoch::FIRST, [0; 16]);

    // Another's job: nothing to accept, decline, cancel, take over or settle.
    node.say(&FromNode::Accept { job, epoch, nonce }).await;
    assert!(matches!(node.next().await, FromRelay::Release { .. }));
    node.say(&FromNode::Accept { job: JobId([5; 16]), epoch, nonce }).await;
    assert!(matches!(node.next().await, FromRelay::Release { .. }));
    node.say(&FromNode::Decline { job, epoch, reason: Fault::new(Code::Busy, MARKER) }).await;
    node.say(&FromNode::Cancel { job }).await;
    let takeover = control::Submit { job, epoch: Epoch(2), ..submit("m") };
    node.say(&FromNode::Submit(takeover)).await;
    assert_eq!(node.refused().await.code, Code::BadRequest);
    for side in [Side::Submitter, Side::Lender] {
        let receipt = node.device.receipt(job, side, 1_000_000);
        node.say(&receipt).await;
    }

    // Questions that cannot be asked.
    let ask = submit("m");
    let wrong = [
        control::Submit { model: String::new(), ..ask.clone() },
        control::Submit { model: "x".repeat(129), ..ask.clone() },
        control::Submit { model: "a\nb".into(), ..ask.clone() },
        control::Submit { max_tokens: 0, ..ask.clone() },
        control::Submit { max_tokens: u32::MAX, ..ask.clone() },
        control::Submit { epoch: Epoch(0), ..ask.clone() },
    ];
    for submit in wrong {
        node.say(&FromNode::Submit(submit)).await;
        assert_eq!(node.refused().await.code, Code::BadRequest);
    }
    let long = control::Submit { prompt_tokens: u32::MAX, ..ask };
    node.say(&FromNode::Submit(long)).await;
    assert_eq!(node.refused().await.code, Code::ContextExceeded);

    // The running job has not noticed.
    far.write(b"answer").await;
    far.send.finish().unwrap();
    assert_eq!(soon(near.recv.read_to_end(10)).await.unwrap(), b"answer");
    assert!(lull_relay::admin::usage(org.dir()).unwrap().is_empty());
    broken_rules(&mut attacker, &Device::new(&org.token(&[], 1), "other")).await;
    still_serves(&mut submitter, &mut lender).await;
}

/// Messages that end the connection of whoever sends them.
async fn broken_rules(attacker: &mut Attacker, other: &Device) {
    let device = attacker.device.clone();
    let mut many = offer("m", 1, 1.0);
    many.models = vec![many.models[0].clone(); 65];
    let mut twice = offer("m", 1, 1.0);
    twice.models.push(twice.models[0].clone());
    let usage = Usage { prompt_tokens: 1, completion_tokens: 1 };
    let (job, epoch, outcome) = (JobId(random()), Epoch::FIRST, Outcome::Completed);
    let receipt = |node: NodeId, key: &SecretKey| {
        let receipt = Receipt { job, epoch, node, side: Side::Lender, usage, outcome };
        FromNode::Receipt(Signed::sign(&receipt, key).unwrap())
    };
    let rules = [
        ("Hello twice", device.hello()),
        ("too many models", FromNode::Offer(many)),
        ("a model twice", FromNode::Offer(twice)),
        ("a model without a name", FromNode::Offer(offer("", 1, 1.0))),
        ("a model with a long name", FromNode::Offer(offer(&"x".repeat(129), 1, 1.0))),
        ("a receipt signed by another key", receipt(device.node, &SecretKey::generate())),
        ("a receipt in another's name", receipt(NodeId([1; 16]), &device.key)),
    ];
    for (name, message) in rules {
        let bytes = frame::encode(&message, control::BYTES_MAX).unwrap();
        attacker.on_control(true, name, &bytes).await;
    }
    let first = [
        ("Offer first", FromNode::Offer(offer("m", 1, 1.0))),
        ("Submit first", FromNode::Submit(submit("m"))),
        ("Cancel first", FromNode::Cancel { job }),
        ("a receipt first", receipt(device.node, &device.key)),
        ("another's chain", other.hello()),
        ("another's sealing key", Device { sealing: other.sealing.clone(), ..device.clone() }.hello()),
        ("a sealing key signed by nobody", Device { sealing: forged_sealing(&device), ..device.clone() }.hello()),
    ];
    for (name, message) in first {
        let bytes = frame::encode(&message, control::BYTES_MAX).unwrap();
        attacker.on_control(false, name, &bytes).await;
    }
}

/// The right node's name under another key's signature.
fn forged_sealing(device: &Device) -> Signed<SealingCertificate> {
    let sealing = SealingCertificate { node: device.node, key: [1; 32], created_s: now_s() };
    Signed::sign(&sealing, &SecretKey::generate()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grants_that_are_foreign_over_or_used_open_nothing() {
    let org = Org::start().await;
    let mut lender = org.lender("lender", 20.0).await;
    let mut submitter = org.node("asker", &[]).await;
    submitter.sees("m").await;
    let ask = submit("m");
    submitter.say(&FromNode::Submit(ask.clone())).await;
    let reserve = lender.reserved().await;
    lender.accept(&reserve).await;
    let grant = submitter.granted().await;
    let content = grant.claims().unwrap();
    let sign = |content: &Grant| Signed::sign(content, &SecretKey::generate()).unwrap();
    let forged = [
        ("signed by somebody", sign(&content)),
        ("for another lender", sign(&Grant { lender: submitter.device.node, ..content.clone() })),
        ("for longer", sign(&Grant { not_after_s: u64::MAX, ..content.clone() })),
        ("for a job nobody asked", sign(&Grant { job: JobId([1; 16]), ..content })),
    ];
    for (name, forged) in forged {
        assert_eq!(submitter.open(&forged).await.reset_code().await, StreamEnd::Refused as u64, "{name}");
    }
    // One bit anywhere in the real one.
    let header = frame::encode(&JobHeader { grant: grant.clone() }, HEADER_BYTES_MAX).unwrap();
    for at in (4..header.len()).step_by(9) {
        let mut flipped = header.clone();
        flipped[at] ^= 0x10;
        let (mut send, mut recv) = submitter.connection.open_bi().await.unwrap();
        send.write_all(&flipped).await.unwrap();
        let _ = send.finish();
        let ended = soon(recv.read_to_end(10)).await;
        assert!(matches!(ended, Err(quinn::ReadToEndError::Read(quinn::ReadError::Reset(_)))), "{at}: {ended:?}");
    }
    // Given back before it was opened.
    submitter.say(&FromNode::Cancel { job: ask.job }).await;
    assert!(matches!(lender.next().await, FromRelay::Release { .. }));
    assert_eq!(submitter.open(&grant).await.reset_code().await, StreamEnd::Refused as u64);
    still_serves(&mut submitter, &mut lender).await;
}

/// An identity for `node` from an authority, good between two moments.
fn identity(authority: &Authority, node: NodeId, from_s: u64, until_s: u64) -> TransportIdentity {
    let key = TransportKey::generate().unwrap();
    let certificate = authority.issue(node, &key.public().unwrap(), from_s, until_s).unwrap();
    TransportIdentity { key, certificate, authority: authority.certificate_der().to_vec(), not_after_s: until_s }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_expired_or_unknown_certificate_gets_nowhere() {
    let org = Org::start().await;
    let device = Device::new(&org.token(&[], 1), "good");
    let good = device.enrol(&org.address()).await.unwrap();
    let read = |name: &str| std::fs::read_to_string(org.dir().join("relay").join(name)).unwrap();
    let own = Authority::from_pem(&read("ca.pem"), &read("ca.key")).unwrap();
    let foreign = Authority::create("Example", now_s()).unwrap();
    let (now, day) = (now_s(), 86_400);
    let cases = [
        ("foreign", identity(&foreign, device.node, now, now + day)),
        ("expired", identity(&own, device.node, now - 2 * day, now - day)),
        ("not yet good", identity(&own, device.node, now + 2 * day, now + 3 * day)),
        (
            "a relabelled one",
            TransportIdentity { certificate: good.certificate.clone(), ..identity(&own, device.node, now, now + day) },
        ),
    ];
    for (name, identity) in cases {
        let Ok(connection) = soon(lull_net::connect(&org.address(), device.ca_sha256, Some(&identity))).await else {
            continue;
        };
        // TLS 1.3 lets a client believe for a moment that it is in.
        if let Ok((mut send, mut recv)) = connection.open_bi().await {
            let _ = frame::write(&mut send, &device.hello(), control::BYTES_MAX).await;
            assert!(recv.read_to_end(10).await.is_err(), "{name}: the relay answered");
        }
        soon(connection.closed()).await;
    }
    // A good certificate of a node that the ledger does not know.
    let unknown = Device::new(&org.token(&[], 1), "unknown");
    let mut node = Node::dial(&org.address(), unknown.clone(), &identity(&own, unknown.node, now, now + day)).await;
    node.say(&unknown.hello()).await;
    assert_eq!(node.goodbye().await, Code::NotEnrolled);
    // One node's certificate under another one's chain.
    let other = Device::new(&org.token(&[], 1), "other");
    other.enrol(&org.address()).await.unwrap();
    let mut node = Node::dial(&org.address(), other.clone(), &good).await;
    node.say(&other.hello()).await;
    assert_eq!(node.goodbye().await, Code::BadSeal);
}

#[derive(Debug)]
struct TrustsAnyone(Arc<rustls::crypto::CryptoProvider>);

impl rustls::client::danger::ServerCertVerifier for TrustsAnyone {
    fn verify_server_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2".into()))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Connects without any certificate, under any protocol.
async fn anonymous(org: &Org, alpn: &[u8]) -> Result<quinn::Connection, quinn::ConnectionError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TrustsAnyone(provider)))
        .with_no_client_auth();
    tls.alpn_protocols = vec![alpn.to_vec()];
    let tls = quinn::crypto::rustls::QuicClientConfig::try_from(tls).unwrap();
    let mut endpoint = quinn::Endpoint::client(([127, 0, 0, 1], 0).into()).unwrap();
    endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(tls)));
    soon(endpoint.connect(org.relay.addr(), RELAY_NAME).unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_certificate_no_message_is_answered() {
    let org = Org::start().await;
    let device = Device::new(&org.token(&[], 1), "nobody");
    let job = JobId([1; 16]);
    let (epoch, nonce) = (Epoch::FIRST, [0; 16]);
    let messages = [
        device.hello(),
        FromNode::Offer(offer("m", 1, 1.0)),
        FromNode::Submit(submit("m")),
        FromNode::Cancel { job },
        FromNode::Accept { job, epoch, nonce },
        FromNode::Decline { job, epoch, reason: Fault::new(Code::Busy, "") },
        device.receipt(job, Side::Lender, 1),
    ];
    for message in messages {
        let connection = anonymous(&org, ALPN_NODE).await.unwrap();
        if let Ok((mut send, mut recv)) = connection.open_bi().await {
            let _ = frame::write(&mut send, &message, control::BYTES_MAX).await;
            assert!(soon(recv.read_to_end(10)).await.is_err(), "answered {message:?}");
        }
        let reason = soon(connection.closed()).await;
        assert!(matches!(reason, quinn::ConnectionError::ApplicationClosed(_)), "{reason}");
    }
    assert!(anonymous(&org, b"lull/9").await.is_err());
    assert!(anonymous(&org, b"h3").await.is_err());
    let mut good = org.node("good", &[]).await;
    good.say(&FromNode::Submit(submit("unheard-of"))).await;
    assert_eq!(good.refused().await.code, Code::ModelUnknown);
}
