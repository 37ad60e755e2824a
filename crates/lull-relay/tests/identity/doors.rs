//! Connections: real ones over QUIC, with certificates and protocols that do not count. TLS 1.2 is no case: QUIC has no
//! earlier version than 1.3 (RFC 9001, section 4.2), and `quinn` makes no endpoint that offers one.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use lull_types::Code;
use lull_wire::{
    ALPN_ENROL, ALPN_NODE, RELAY_NAME,
    control::{self, FromRelay},
    enrol::{EnrolRequest, EnrolResponse},
    frame,
};
use quinn::ConnectionError;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    PKCS_ED25519,
};
use rustls::{
    client::{ResolvesClientCert, danger},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
    sign::CertifiedKey,
};

use crate::common::{Device, Org, soon};

const HOUR: Duration = Duration::from_secs(3_600);

/// How a try to come in ends.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// Welcome.
    In,
    /// TLS breaks the handshake off with this alert (RFC 8446, section 6).
    Alert(u8),
    /// The relay closes the connection with this code.
    Closed(u64),
    /// It says why first.
    Goodbye(Code),
    /// So does its door for joining.
    Refused(Code),
}

const BAD_CERTIFICATE: End = End::Alert(42);
const UNSUPPORTED_CERTIFICATE: End = End::Alert(43);
const CERTIFICATE_EXPIRED: End = End::Alert(45);
const CERTIFICATE_UNKNOWN: End = End::Alert(46);
const UNKNOWN_CA: End = End::Alert(48);
const DECRYPT_ERROR: End = End::Alert(51);
const NO_APPLICATION_PROTOCOL: End = End::Alert(120);
const NOT_ALLOWED: End = End::Closed(5);

/// What is shown and said at the relay's door.
struct Visit {
    alpn: Option<&'static [u8]>,
    /// No certificate if empty.
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
    /// The first frame on the first stream.
    words: Vec<u8>,
}

/// A member, and the relay's authority in the wrong hands.
struct Scene {
    org: Org,
    device: Device,
    other: Device,
    ca: (String, String),
}

impl Scene {
    async fn new() -> Self {
        let org = Org::start().await;
        let token = org.token(&[], 2);
        let (device, other) = (Device::new(&token, "oak"), Device::new(&token, "elm"));
        device.enrol(&org.address()).await.unwrap();
        other.enrol(&org.address()).await.unwrap();
        let read = |name: &str| std::fs::read_to_string(org.dir().join("relay").join(name)).unwrap();
        let ca = (read("ca.pem"), read("ca.key"));
        Self { org, device, other, ca }
    }

    fn authority(&self) -> Issuer<'static, KeyPair> {
        Issuer::from_ca_cert_pem(&self.ca.0, KeyPair::from_pem(&self.ca.1).unwrap()).unwrap()
    }

    fn authority_der(&self) -> CertificateDer<'static> {
        let pem = rustls::pki_types::pem::PemObject::from_pem_slice(self.ca.0.as_bytes());
        pem.unwrap()
    }

    /// What a relay certifies for this member.
    fn params(&self) -> CertificateParams {
        let mut params = CertificateParams::new(vec![format!("{}.node.lull.internal", self.device.node)]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        (params.not_before, params.not_after) = (moment(-1), moment(1));
        params
    }

    /// A visit with a certificate that `change` has altered before the relay's authority signed it.
    fn with(&self, change: impl FnOnce(&mut CertificateParams)) -> Visit {
        let mut params = self.params();
        change(&mut params);
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let leaf = params.signed_by(&key, &self.authority()).unwrap();
        self.visit(vec![leaf.der().clone(), self.authority_der()], key)
    }

    fn visit(&self, chain: Vec<CertificateDer<'static>>, key: KeyPair) -> Visit {
        let words = frame::encode(&self.device.hello(), control::BYTES_MAX).unwrap();
        Visit { alpn: Some(ALPN_NODE), chain, key, words }
    }

    /// A certificate for this member from an authority of the same name with another key.
    fn foreign(&self, shown: impl FnOnce(CertificateDer<'static>) -> CertificateDer<'static>) -> Visit {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name("Example Lull transport");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let authority = rcgen::CertifiedIssuer::self_signed(params, key).unwrap();
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let leaf = self.params().signed_by(&key, &authority).unwrap();
        self.visit(vec![leaf.der().clone(), shown(authority.der().clone())], key)
    }

    fn request(&self) -> Vec<u8> {
        let transport = self.device.key.public();
        let request = EnrolRequest { chain: self.device.chain.clone(), transport, proof: [0; 64] };
        frame::encode(&request, control::BYTES_MAX).unwrap()
    }
}

fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

/// So many hours from now.
fn moment<T: From<SystemTime>>(hours: i32) -> T {
    let apart = HOUR * hours.unsigned_abs();
    T::from(if hours < 0 { SystemTime::now() - apart } else { SystemTime::now() + apart })
}

/// Shows a certificate with whatever key, without asking whether they belong together.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// It is the relay's judgement that is tried here, not the visitor's.
#[derive(Debug)]
struct TrustsAnyone(Arc<rustls::crypto::CryptoProvider>);

impl danger::ServerCertVerifier for TrustsAnyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<danger::ServerCertVerified, rustls::Error> {
        Ok(danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<danger::HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2".into()))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<danger::HandshakeSignatureValid, rustls::Error> {
        Ok(danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn config(visit: &Visit) -> quinn::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TrustsAnyone(provider.clone())));
    let mut tls = if visit.chain.is_empty() {
        builder.with_no_client_auth()
    } else {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(visit.key.serialize_der()));
        let key = provider.key_provider.load_private_key(key).unwrap();
        builder.with_client_cert_resolver(Arc::new(Shows(Arc::new(CertifiedKey::new(visit.chain.clone(), key)))))
    };
    tls.alpn_protocols = visit.alpn.iter().map(|alpn| alpn.to_vec()).collect();
    quinn::ClientConfig::new(Arc::new(quinn::crypto::rustls::QuicClientConfig::try_from(tls).unwrap()))
}

/// Knocks, says the words, and sees what comes of it.
async fn knock(org: &Org, visit: &Visit) -> End {
    let endpoint = quinn::Endpoint::client(([127, 0, 0, 1], 0).into()).unwrap();
    let connecting = endpoint.connect_with(config(visit), org.relay.addr(), RELAY_NAME).unwrap();
    let connection = match soon(connecting).await {
        Ok(connection) => connection,
        Err(error) => return end_of(&error),
    };
    // TLS 1.3 lets a visitor believe for a moment that it is in.
    if let Ok((mut send, mut recv)) = connection.open_bi().await {
        let _ = send.write_all(&visit.words).await;
        if let Ok(Some(body)) = soon(frame::read_bytes(&mut recv, control::BYTES_MAX)).await {
            if let Ok(EnrolResponse::Refused(fault)) = frame::decode(&body) {
                return End::Refused(fault.code);
            }
            return match frame::decode(&body).unwrap() {
                FromRelay::Welcome { .. } => End::In,
                FromRelay::Goodbye(fault) => End::Goodbye(fault.code),
                other => panic!("{other:?}"),
            };
        }
    }
    end_of(&soon(connection.closed()).await)
}

fn end_of(error: &ConnectionError) -> End {
    match error {
        ConnectionError::ApplicationClosed(close) => End::Closed(close.error_code.into_inner()),
        // 0x100 and the alert (RFC 9001, section 4.8).
        ConnectionError::ConnectionClosed(close) => {
            let code = u64::from(close.error_code);
            End::Alert(u8::try_from(code - 0x100).unwrap_or_else(|_| panic!("{error}")))
        }
        other => panic!("{other}"),
    }
}

type Make = fn(&Scene) -> Visit;

fn member(scene: &Scene) -> Visit {
    scene.with(|_| {})
}

/// Certificates that TLS itself turns away.
const HANDSHAKES: [(&str, End, Make); 12] = [
    ("over for two days", CERTIFICATE_EXPIRED, |s| {
        s.with(|p| (p.not_before, p.not_after) = (moment(-72), moment(-48)))
    }),
    ("over for an hour", CERTIFICATE_EXPIRED, |s| s.with(|p| p.not_after = moment(-1))),
    ("good in two days", CERTIFICATE_EXPIRED, |s| s.with(|p| (p.not_before, p.not_after) = (moment(48), moment(72)))),
    ("of another authority with the same name", DECRYPT_ERROR, |s| s.foreign(|own| own)),
    ("of another authority, the relay's own shown beside it", DECRYPT_ERROR, |s| s.foreign(|_| s.authority_der())),
    ("signed by itself", UNKNOWN_CA, |s| {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let leaf = s.params().self_signed(&key).unwrap();
        s.visit(vec![leaf.der().clone()], key)
    }),
    ("signed by a member's certificate", CERTIFICATE_UNKNOWN, |s| {
        let (key, own) = (KeyPair::generate_for(&PKCS_ED25519).unwrap(), s.params());
        let between = own.signed_by(&key, &s.authority()).unwrap();
        let issuer = Issuer::new(own, key);
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let leaf = s.params().signed_by(&key, &issuer).unwrap();
        s.visit(vec![leaf.der().clone(), between.der().clone(), s.authority_der()], key)
    }),
    ("stolen without its key", DECRYPT_ERROR, |s| Visit {
        key: KeyPair::generate_for(&PKCS_ED25519).unwrap(),
        ..member(s)
    }),
    ("one bit of its signature", DECRYPT_ERROR, |s| {
        let mut visit = member(s);
        let mut der = visit.chain[0].to_vec();
        *der.last_mut().unwrap() ^= 1;
        visit.chain[0] = der.into();
        visit
    }),
    ("made for servers", UNSUPPORTED_CERTIFICATE, |s| {
        s.with(|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth])
    }),
    ("the authority's own, with its key", CERTIFICATE_UNKNOWN, |s| {
        s.visit(vec![s.authority_der()], KeyPair::from_pem(&s.ca.1).unwrap())
    }),
    ("not a certificate at all", BAD_CERTIFICATE, |s| {
        s.visit(vec![vec![0x30, 3, 2, 1, 0].into()], KeyPair::generate_for(&PKCS_ED25519).unwrap())
    }),
];

/// Certificates that TLS takes, and protocols.
const MANNERS: [(&str, End, Make); 14] = [
    ("no certificate", NOT_ALLOWED, |s| Visit { chain: Vec::new(), ..member(s) }),
    ("a name that is no node's", NOT_ALLOWED, |s| s.with(|p| p.subject_alt_names = sans(&[RELAY_NAME]))),
    ("a name without an id", NOT_ALLOWED, |s| s.with(|p| p.subject_alt_names = sans(&["oak.node.lull.internal"]))),
    ("a name only where no name counts", NOT_ALLOWED, |s| {
        s.with(|p| {
            p.subject_alt_names = Vec::new();
            p.distinguished_name = common_name(&format!("{}.node.lull.internal", s.device.node));
        })
    }),
    ("another member's name", End::Goodbye(Code::BadSeal), |s| {
        s.with(|p| p.subject_alt_names = sans(&[&format!("{}.node.lull.internal", s.other.node)]))
    }),
    ("the name of a node that never joined", End::Goodbye(Code::NotEnrolled), |s| {
        s.with(|p| p.subject_alt_names = sans(&["00112233445566778899aabbccddeeff.node.lull.internal"]))
    }),
    ("an older protocol", NO_APPLICATION_PROTOCOL, |s| Visit { alpn: Some(b"lull/0"), ..member(s) }),
    ("a newer protocol", NO_APPLICATION_PROTOCOL, |s| Visit { alpn: Some(b"lull/2"), ..member(s) }),
    ("an older way to join", NO_APPLICATION_PROTOCOL, |s| Visit { alpn: Some(b"lull-enrol/0"), ..member(s) }),
    ("another protocol", NO_APPLICATION_PROTOCOL, |s| Visit { alpn: Some(b"h3"), ..member(s) }),
    ("no protocol", NO_APPLICATION_PROTOCOL, |s| Visit { alpn: None, ..member(s) }),
    ("a member's greeting at the door for joining", End::Refused(Code::BadFrame), |s| Visit {
        alpn: Some(ALPN_ENROL),
        chain: Vec::new(),
        ..member(s)
    }),
    ("the same with a certificate", End::Refused(Code::BadFrame), |s| Visit { alpn: Some(ALPN_ENROL), ..member(s) }),
    ("a request to join at the members' door", End::Goodbye(Code::BadFrame), |s| Visit {
        words: s.request(),
        ..member(s)
    }),
];

fn sans(names: &[&str]) -> Vec<rcgen::SanType> {
    names.iter().map(|name| rcgen::SanType::DnsName((*name).try_into().unwrap())).collect()
}

pub(crate) fn names() -> Vec<&'static str> {
    HANDSHAKES.iter().chain(&MANNERS).map(|case| case.0).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_wrong_certificate_and_protocol_stays_outside() {
    let scene = Scene::new().await;
    for (name, end, make) in HANDSHAKES.iter().chain(&MANNERS) {
        assert_eq!(knock(&scene.org, &member(&scene)).await, End::In, "{name}: the control");
        assert_eq!(&knock(&scene.org, &make(&scene)).await, end, "{name}");
    }
}

/// The relay lets go when the certificate ends, although the connection was made while it was good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_does_not_outlive_its_certificate() {
    let scene = Scene::new().await;
    let authority = lull_net::Authority::from_pem(&scene.ca.0, &scene.ca.1).unwrap();
    let key = lull_net::TransportKey::generate().unwrap();
    let now_s = crate::common::now_s();
    let not_after_s = now_s + 2;
    let certificate = authority.issue(scene.device.node, &key.public().unwrap(), now_s, not_after_s).unwrap();
    let authority = authority.certificate_der().to_vec();
    let short = lull_net::TransportIdentity { key, certificate, authority, not_after_s };
    let mut node = crate::common::Node::connect(&scene.org.address(), scene.device.clone(), &short).await;
    let mut stays = scene.org.lender("stays", 1.0).await;
    stays.sees("m").await;
    let (near, mut far, _) = crate::common::running(&mut node, &mut stays).await;
    assert_eq!(node.goodbye().await, Code::Expired);
    assert!(crate::common::now_s() >= not_after_s, "not before its time");
    soon(node.connection.closed()).await;
    assert_eq!(far.reset_code().await, lull_wire::job::StreamEnd::Cancelled as u64, "what ran on it ends with it");
    drop(near);
    // Its last second still counts for TLS; the relay says goodbye at once then.
    let again = knock(&scene.org, &visit_of(&scene, &short)).await;
    assert!([CERTIFICATE_EXPIRED, End::Goodbye(Code::Expired)].contains(&again), "it opens no other: {again:?}");
    assert!(stays.connection.close_reason().is_none(), "others stay");
}

fn visit_of(scene: &Scene, identity: &lull_net::TransportIdentity) -> Visit {
    scene.visit(vec![identity.certificate.clone().into()], KeyPair::from_pem(&identity.key.to_pem()).unwrap())
}
