//! The chain root → invitation → device → sealing key, and tokens: every link that does not hold.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use lull_wire::{
    SecretKey, Signed, Token,
    identity::{ChainError, DeviceCertificate, DeviceChain, Invitation, RelayStatement, SealingCertificate, node_id},
};

fn key(seed: u8) -> SecretKey {
    SecretKey::from_bytes(&[seed; 32])
}

fn invitation() -> Invitation {
    Invitation::new([1; 16], vec!["research".into()], 1, 2000, key(2).public())
}

fn device() -> DeviceCertificate {
    DeviceCertificate { invitation: [1; 16], key: key(3).public(), name: "oak".into(), created_s: 1000 }
}

fn chain(invitation: &Invitation, root: u8, device: &DeviceCertificate, inviter: u8) -> DeviceChain {
    DeviceChain {
        invitation: Signed::sign(invitation, &key(root)).unwrap(),
        device: Signed::sign(device, &key(inviter)).unwrap(),
    }
}

fn verify(invitation: &Invitation, root: u8, device: &DeviceCertificate, inviter: u8) -> Result<(), ChainError> {
    chain(invitation, root, device, inviter).verify(&key(1).public()).map(|_| ())
}

#[test]
fn a_whole_chain_leads_to_root() {
    let found = chain(&invitation(), 1, &device(), 2).verify(&key(1).public()).unwrap();
    assert_eq!((found.name.as_str(), found.node), ("oak", node_id(&key(3).public())));
}

#[test]
fn each_broken_link_is_found() {
    let (good, oak) = (invitation(), device());
    assert!(matches!(verify(&good, 9, &oak, 2), Err(ChainError::Signature(_))), "another root");
    assert!(matches!(verify(&good, 1, &oak, 9), Err(ChainError::Signature(_))), "another inviter");
    let other = DeviceCertificate { invitation: [9; 16], ..oak.clone() };
    assert!(matches!(verify(&good, 1, &other, 2), Err(ChainError::Mixed(_))), "another invitation");
    let late = DeviceCertificate { created_s: 2001, ..oak.clone() };
    assert_eq!(verify(&good, 1, &late, 2), Err(ChainError::Late));
    for name in ["", " ", "a\nb", &"x".repeat(65)] {
        let named = DeviceCertificate { name: name.into(), ..oak.clone() };
        assert!(matches!(verify(&good, 1, &named, 2), Err(ChainError::Bounds(_))), "{name:?}");
    }
    let crowded = Invitation { groups: vec!["g".into(); 17], ..good };
    assert!(matches!(verify(&crowded, 1, &oak, 2), Err(ChainError::Bounds(_))));
}

#[test]
fn a_sealing_key_counts_only_for_its_own_device() {
    let chain = chain(&invitation(), 1, &device(), 2);
    let root = key(1).public();
    let node = node_id(&key(3).public());
    let certificate =
        |node, signer| Signed::sign(&SealingCertificate { node, key: [8; 32], created_s: 1 }, &key(signer)).unwrap();
    assert_eq!(chain.verify_sealing(&root, &certificate(node, 3)).unwrap().1, [8; 32]);
    assert!(chain.verify_sealing(&root, &certificate(node, 4)).is_err(), "signed by another device");
    let other = node_id(&key(9).public());
    assert!(chain.verify_sealing(&root, &certificate(other, 3)).is_err(), "made for another node");
}

#[test]
fn a_signature_over_one_kind_does_not_count_for_another() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Twin(Invitation);
    impl lull_wire::Document for Twin {
        const DOMAIN: &'static str = "another kind";
    }
    let twin = Signed::sign(&Twin(invitation()), &key(1)).unwrap();
    let bytes = lull_wire::frame::encode(&twin, 10_000).unwrap();
    let posing: Signed<Invitation> = lull_wire::frame::decode(&bytes[4..]).unwrap();
    assert!(posing.open(&key(1).public()).is_err());
}

fn token() -> Token {
    let statement = RelayStatement { org: "Acme".into(), ca_sha256: [1; 32], grant_key: key(4).public(), serial: 1 };
    Token::new(
        "127.0.0.1:5855".into(),
        key(1).public(),
        Signed::sign(&statement, &key(1)).unwrap(),
        Signed::sign(&invitation(), &key(1)).unwrap(),
        &key(2),
    )
}

#[test]
fn a_token_survives_its_text_and_nothing_else() {
    let text = token().to_string();
    let read: Token = format!("  {text}\n").parse().unwrap();
    assert_eq!(read.relay, "127.0.0.1:5855");
    // As a mail program breaks it, and as people copy it.
    let (first, rest) = text.split_at(60);
    let wrapped = format!("Keep it secret:\n> {first}\r\n  {rest} \n");
    assert_eq!(wrapped.parse::<Token>().unwrap().to_string(), text);
    let damaged = |at: usize| {
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    for bad in ["", "lull1-", "hello", &text[1..], &text[..text.len() - 5], &damaged(200), &format!("{text}AAAA")] {
        let error = bad.parse::<Token>().err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("token create")), "{bad}");
    }
}

#[test]
fn a_token_whose_parts_do_not_belong_together_is_refused() {
    let good = token();
    let foreign = Token::new(good.relay.clone(), good.root, good.statement.clone(), good.invitation.clone(), &key(9));
    assert!(foreign.to_string().parse::<Token>().is_err());
    let other_root =
        Token::new(good.relay.clone(), key(9).public(), good.statement.clone(), good.invitation.clone(), &key(2));
    assert!(other_root.to_string().parse::<Token>().is_err());
}
