use std::time::{SystemTime, UNIX_EPOCH};

use lull_types::NodeId;

use super::*;

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

struct Relay {
    authority: Authority,
    endpoint: quinn::Endpoint,
    address: String,
}

fn relay() -> Relay {
    let authority = Authority::create("Acme", now_s()).unwrap();
    let (certificate, key) = authority.to_pem();
    let authority = Authority::from_pem(&certificate, &key).unwrap();
    let listener = Listener { address: ([127, 0, 0, 1], 0).into(), reset_key: [1; 64] };
    let endpoint = listen(&listener, &authority).unwrap();
    let address = endpoint.local_addr().unwrap().to_string();
    Relay { authority, endpoint, address }
}

fn identity(authority: &Authority, node: NodeId, not_after_s: u64) -> TransportIdentity {
    let key = TransportKey::generate().unwrap();
    let key = TransportKey::from_pem(&key.to_pem()).unwrap();
    let certificate = authority.issue(node, &key.public().unwrap(), now_s() - 100, not_after_s).unwrap();
    TransportIdentity { key, certificate, authority: authority.certificate_der().to_vec(), not_after_s }
}

#[tokio::test]
async fn a_node_is_known_by_its_certificate_and_both_ends_share_a_secret() {
    let relay = relay();
    let node = NodeId([7; 16]);
    let until = now_s() + 3600;
    let mine = identity(&relay.authority, node, until);
    let accept = async { relay.endpoint.accept().await.unwrap().await.unwrap() };
    let (here, there) = tokio::join!(connect(&relay.address, relay.authority.fingerprint(), Some(&mine)), accept);
    let here = here.unwrap();
    let seen = peer(&there).unwrap();
    assert_eq!((seen.node, seen.not_after_s), (node, until));
    assert_eq!(alpn(&there).unwrap(), lull_wire::ALPN_NODE);
    assert_eq!(exporter(&here).unwrap(), exporter(&there).unwrap());
}

#[tokio::test]
async fn without_a_certificate_only_enrolment_is_spoken() {
    let relay = relay();
    let accept = async { relay.endpoint.accept().await.unwrap().await.unwrap() };
    let (here, there) = tokio::join!(connect(&relay.address, relay.authority.fingerprint(), None), accept);
    assert!(here.is_ok());
    assert_eq!(alpn(&there).unwrap(), lull_wire::ALPN_ENROL);
    assert!(peer(&there).is_none());
}

/// Connects and waits for the relay's verdict: in TLS 1.3 a client learns only after its handshake.
async fn verdict(relay: &Relay, pinned: [u8; 32], mine: &TransportIdentity) -> Option<String> {
    let accept = async {
        let incoming = relay.endpoint.accept().await.unwrap();
        incoming.await.err().map(|error| error.to_string())
    };
    let (here, there) = tokio::join!(connect(&relay.address, pinned, Some(mine)), accept);
    there.or(here.err().map(|error| error.to_string()))
}

#[tokio::test]
async fn expired_and_foreign_certificates_get_nowhere() {
    let relay = relay();
    let node = NodeId([7; 16]);
    let pinned = relay.authority.fingerprint();
    let foreign = Authority::create("Evil", now_s()).unwrap();
    let expired = identity(&relay.authority, node, now_s() - 10);
    assert!(verdict(&relay, pinned, &expired).await.is_some());
    assert!(verdict(&relay, pinned, &identity(&foreign, node, now_s() + 3600)).await.is_some());
    let good = identity(&relay.authority, node, now_s() + 3600);
    assert_eq!(verdict(&relay, pinned, &good).await, None, "the control gets in");
}

#[tokio::test]
async fn a_relay_that_root_did_not_pin_is_refused() {
    let relay = relay();
    let mine = identity(&relay.authority, NodeId([7; 16]), now_s() + 3600);
    let accept = async { relay.endpoint.accept().await.unwrap().await };
    let (here, _) = tokio::join!(connect(&relay.address, [9; 32], Some(&mine)), accept);
    assert!(matches!(here, Err(NetError::NotTheRelay { .. })), "{here:?}");
}

#[tokio::test]
async fn nobody_there_is_an_error_that_names_the_relay() {
    let error = connect("no-such-host.invalid:5855", [0; 32], None).await.unwrap_err();
    assert!(error.to_string().contains("no-such-host.invalid:5855"), "{error}");
}
