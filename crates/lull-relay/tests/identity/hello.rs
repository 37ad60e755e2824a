//! Greetings: a member with a right certificate, who says of itself what is not so.

use lull_types::Code;
use lull_wire::{
    PublicKey, SecretKey, Signed, Token,
    control::{FromNode, FromRelay},
    identity::{MemberCertificate, Membership, RelayStatement, SealingCertificate, node_id},
};

use crate::common::{Device, Node, Org, now_s};

/// A member, another, and invitations that the member was not let in with.
struct Scene {
    org: Org,
    token: Token,
    device: Device,
    other: Device,
    /// A used-up invitation to better groups, and its secret key, as they lie about.
    finance: Token,
    /// Another organisation's.
    foreign: Token,
}

impl Scene {
    async fn new() -> Self {
        let org = Org::start().await;
        let (token, finance) = (org.token(&["sales"], 1), org.token(&["finance"], 1));
        let (device, other) = (Device::new(&token, "oak"), Device::new(&finance, "elm"));
        device.enrol(&org.address()).await.unwrap();
        other.enrol(&org.address()).await.unwrap();
        let foreign = foreign(&token);
        Self { org, token, device, other, finance, foreign }
    }

    /// What the member says with papers under another invitation, for its own key.
    fn under(&self, token: &Token) -> FromNode {
        Device::with_key(token, "oak", self.device.key.clone()).hello()
    }
}

fn foreign(token: &Token) -> Token {
    let (root, key) = (SecretKey::generate(), SecretKey::generate());
    let statement: RelayStatement = token.statement.claims().unwrap();
    let invitation = lull_wire::identity::Invitation { key: key.public(), ..token.invitation.claims().unwrap() };
    let (statement, invitation) = (Signed::sign(&statement, &root).unwrap(), Signed::sign(&invitation, &root).unwrap());
    Token::new(token.relay.clone(), root.public(), statement, invitation, &key)
}

fn membership(token: &Token, key: PublicKey) -> Membership {
    let invitation = token.invitation.claims().unwrap().id;
    let member = MemberCertificate { invitation, key };
    Membership { invitation: token.invitation.clone(), member: Signed::sign(&member, &token.secret()).unwrap() }
}

fn asking_with(device: &Device, shown: Option<Membership>) -> FromNode {
    let FromNode::Hello { chain, sealing, version, membership: _ } = device.hello() else { panic!("no hello") };
    FromNode::Hello { chain, sealing, version, membership: shown }
}

fn sealing(device: &Device, node: lull_types::NodeId, by: &SecretKey) -> FromNode {
    let sealing = Signed::sign(&SealingCertificate { node, key: [1; 32], created_s: now_s() }, by).unwrap();
    Device { sealing, ..device.clone() }.hello()
}

type Make = fn(&Scene) -> FromNode;

const CASES: [(&str, Code, Make); 14] = [
    ("another member's chain", Code::BadSeal, |s| s.other.hello()),
    ("a chain of another root", Code::BadSeal, |s| s.under(&s.foreign)),
    ("its own invitation with another's device", Code::BadSeal, |s| {
        let mut mixed = s.device.clone();
        mixed.chain.device = s.other.chain.device.clone();
        mixed.hello()
    }),
    ("another's invitation with its own device", Code::BadSeal, |s| {
        let mut mixed = s.device.clone();
        mixed.chain.invitation = s.other.chain.invitation.clone();
        mixed.hello()
    }),
    ("an invitation to other groups, used up by another", Code::NotEnrolled, |s| s.under(&s.finance)),
    ("an invitation that nobody has used", Code::NotEnrolled, |s| s.under(&s.org.token(&["finance"], 1))),
    ("its own invitation under another name", Code::NotEnrolled, |s| {
        Device::with_key(&s.token, "elm", s.device.key.clone()).hello()
    }),
    ("another device's sealing key", Code::BadSeal, |s| {
        Device { sealing: s.other.sealing.clone(), ..s.device.clone() }.hello()
    }),
    ("its own sealing key in another's name", Code::BadSeal, |s| sealing(&s.device, s.other.node, &s.device.key)),
    ("a sealing key of a stranger's word", Code::BadSeal, |s| {
        sealing(&s.device, s.device.node, &SecretKey::generate())
    }),
    ("a membership of another invitation", Code::BadSeal, |s| {
        asking_with(&s.device, Some(membership(&s.finance, SecretKey::generate().public())))
    }),
    ("a membership of another root", Code::BadSeal, |s| {
        asking_with(&s.device, Some(membership(&s.foreign, SecretKey::generate().public())))
    }),
    ("a membership that its device certifies", Code::BadSeal, |s| {
        let certificate =
            MemberCertificate { invitation: s.token.invitation.claims().unwrap().id, key: s.device.key.public() };
        let member = Signed::sign(&certificate, &s.device.key).unwrap();
        asking_with(&s.device, Some(Membership { invitation: s.token.invitation.clone(), member }))
    }),
    ("a version of two lines", Code::BadRequest, |s| {
        let FromNode::Hello { chain, sealing, .. } = s.device.hello() else { panic!("no hello") };
        FromNode::Hello { chain, sealing, version: "1\n2".into(), membership: None }
    }),
];

pub(crate) fn names() -> Vec<&'static str> {
    CASES.iter().map(|case| case.0).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_is_what_it_joined_as_and_nothing_else() {
    let scene = Scene::new().await;
    let identity = scene.device.enrol(&scene.org.address()).await.unwrap();
    for (name, code, make) in CASES {
        let good = asking_with(&scene.device, Some(membership(&scene.token, SecretKey::generate().public())));
        for (hello, refused) in [(good, None), (make(&scene), Some(code))] {
            let mut node = Node::dial(&scene.org.address(), scene.device.clone(), &identity).await;
            node.say(&hello).await;
            let said = match node.hear().await {
                Some(FromRelay::Welcome { .. }) => None,
                Some(FromRelay::Goodbye(fault)) => Some(fault.code),
                other => panic!("{name}: {other:?}"),
            };
            assert_eq!(said, refused, "{name}");
        }
    }
}

/// Whoever certifies a colleague's key as its own does not take the colleague along when it is shut out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_colleagues_key_is_not_shut_out_with_the_one_who_claims_it() {
    let scene = Scene::new().await;
    let address = scene.org.address();
    let (mine, theirs) = (SecretKey::generate().public(), SecretKey::generate().public());
    let greet = async |device: &Device, token: &Token, key| {
        let identity = device.enrol(&address).await.unwrap();
        let mut node = Node::dial(&address, device.clone(), &identity).await;
        node.say(&asking_with(device, Some(membership(token, key)))).await;
        assert!(matches!(node.hear().await, Some(FromRelay::Welcome { .. })));
        node
    };
    let _colleague = greet(&scene.other, &scene.finance, theirs).await;
    let claims = greet(&scene.device, &scene.token, theirs).await;
    claims.connection.close(0_u8.into(), b"");
    let _own = greet(&scene.device, &scene.token, mine).await;
    let _claims_again = greet(&scene.device, &scene.token, theirs).await;
    let mut watches = scene.org.node("watches", &[]).await;
    let dir = scene.org.dir().to_owned();
    let revoked = tokio::task::spawn_blocking(move || lull_relay::admin::revoke(&dir, "oak")).await.unwrap().unwrap();
    assert!(revoked.live);
    let list = loop {
        let message = crate::common::soon(lull_wire::frame::read(&mut watches.recv, 1 << 20)).await.unwrap();
        if let Some(FromRelay::Denied(list)) = message
            && let list = list.claims().unwrap()
            && !list.nodes.is_empty()
        {
            break list;
        }
    };
    assert_eq!(list.nodes, [scene.device.node]);
    assert_eq!(list.members, [node_id(&mine)], "its own key, and not the colleague's");
}
