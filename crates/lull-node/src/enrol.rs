use std::{path::Path, time::Duration};

use lull_net::{TransportIdentity, TransportKey};
use lull_types::{Code, Fault, NodeId};
use lull_wire::{
    SecretKey, Signed, Token,
    enrol::{self, EnrolRequest, EnrolResponse},
    frame,
    identity::{self, DeviceCertificate, DeviceChain, MemberCertificate, Membership, NAME_BYTES_MAX, RelayStatement},
};
use tokio::time::timeout;

use crate::{
    Home,
    clock::now_s,
    fault::net,
    identity::{Identity, MemberIdentity, Transport},
};

/// What joining an organisation came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// The machine's id.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// The organisation's name.
    pub org: String,
    /// The groups its invitation gave it.
    pub groups: Vec<String>,
    /// The relay's address.
    pub relay: String,
    /// When the transport certificate ends, in seconds since 1970; it is renewed long before.
    pub certificate_until_s: u64,
}

/// The longest that joining or renewing may take.
const ASK_MAX: Duration = Duration::from_secs(15);

/// Joins the organisation that `token` comes from, as `name` (else as the machine's own name).
///
/// Nothing is stored unless all of it succeeds. A machine that is enrolled already stays as it is unless `force` says
/// that it becomes a new one.
///
/// # Errors
/// [`Code::BadRequest`] when enrolled already or for a name out of bounds, [`Code::Busy`] while a node runs here, what
/// the relay refuses with, [`Code::RelayUnreachable`], [`Code::BadSeal`], [`Code::Storage`].
pub async fn enroll(home: &Path, token: &Token, name: Option<String>, force: bool) -> Result<Enrolled, Fault> {
    let home = Home::open(home)?;
    let _lock = home.lock()?;
    if Identity::is_stored(&home)? && !force {
        return Err(already_enrolled(&home));
    }
    join(&home, token, name).await
}

/// The same for whoever holds the home's lock and knows that this machine is to be a new member.
pub(crate) async fn join(home: &Home, token: &Token, name: Option<String>) -> Result<Enrolled, Fault> {
    let name = name.unwrap_or_else(machine_name);
    if !identity::name_fits(&name) {
        let text =
            format!("a machine's name has 1 to {NAME_BYTES_MAX} bytes and no control characters; choose another");
        return Err(Fault::new(Code::BadRequest, text));
    }
    let key = SecretKey::generate();
    let chain = certify(token, &key, &name)?;
    let member = Some(member(token, &chain)?);
    let identity = Identity::new(key, token.root, token.relay.clone(), token.statement.clone(), chain, member)
        .map_err(|why| Fault::new(Code::BadSeal, format!("this token does not hold ({why}); ask IT for a new one")))?;
    home.prove_room()?;
    let (identity, transport) = ask(identity).await?;
    identity.store(home, &transport)?;
    tracing::info!(node = %identity.device.node, org = identity.statement.org, "enrolled");
    Ok(Enrolled {
        node: identity.device.node,
        name,
        org: identity.statement.org,
        groups: identity.device.groups,
        relay: identity.relay,
        certificate_until_s: transport.identity.not_after_s,
    })
}

/// Gets a fresh transport certificate, and root's newest word on the relay, with nothing but the device key.
pub(crate) async fn renew(home: &Home, identity: Identity) -> Result<(Identity, Transport), Fault> {
    let before = identity.statement.serial;
    let (identity, transport) = ask(identity).await?;
    transport.store(home)?;
    if identity.statement.serial != before {
        identity.store_documents(home)?;
    }
    tracing::info!(until_s = transport.identity.not_after_s, "transport certificate renewed");
    Ok((identity, transport))
}

fn certify(token: &Token, key: &SecretKey, name: &str) -> Result<DeviceChain, Fault> {
    let bad =
        |why: String| Fault::new(Code::BadSeal, format!("this token does not hold ({why}); ask IT for a new one"));
    let invitation = token.invitation.open(&token.root).map_err(|error| bad(error.to_string()))?;
    let now = now_s();
    if now > invitation.not_after_s {
        let text = "this token is over; ask IT for a new one (`lull admin --dir DIR token create`)";
        return Err(Fault::new(Code::Expired, text));
    }
    let certificate =
        DeviceCertificate { invitation: invitation.id, key: key.public(), name: name.into(), created_s: now };
    let device = Signed::sign(&certificate, &token.secret()).map_err(|error| bad(error.to_string()))?;
    Ok(DeviceChain { invitation: token.invitation.clone(), device })
}

/// A key to ask with, certified like the device and named like nobody.
fn member(token: &Token, chain: &DeviceChain) -> Result<MemberIdentity, Fault> {
    let bad =
        |why: String| Fault::new(Code::BadSeal, format!("this token does not hold ({why}); ask IT for a new one"));
    let key = SecretKey::generate();
    let invitation = token.invitation.open(&token.root).map_err(|error| bad(error.to_string()))?.id;
    let certificate = MemberCertificate { invitation, key: key.public() };
    let member = Signed::sign(&certificate, &token.secret()).map_err(|error| bad(error.to_string()))?;
    Ok(MemberIdentity { key, membership: Membership { invitation: chain.invitation.clone(), member } })
}

async fn ask(identity: Identity) -> Result<(Identity, Transport), Fault> {
    let relay = identity.relay.clone();
    timeout(ASK_MAX, ask_unbounded(identity)).await.unwrap_or_else(|_| {
        let text = format!("the relay at {relay} did not answer in {} s; check the network", ASK_MAX.as_secs());
        Err(Fault::new(Code::RelayUnreachable, text))
    })
}

async fn ask_unbounded(identity: Identity) -> Result<(Identity, Transport), Fault> {
    let relay = &identity.relay;
    let connection = lull_net::connect(relay, identity.statement.ca_sha256, None).await.map_err(|error| net(&error))?;
    let key = TransportKey::generate().map_err(|error| net(&error))?;
    let transport = key.public().map_err(|error| net(&error))?;
    let exporter = lull_net::exporter(&connection).map_err(|error| net(&error))?;
    let proof = identity.key.sign(&enrol::proof(&exporter, &transport));
    let request = EnrolRequest { chain: identity.chain.clone(), transport, proof };
    let broken = |error: &dyn std::error::Error| {
        let text = format!("the relay at {relay} broke off while it was asked for a certificate ({error}); try again");
        Fault::new(Code::RelayUnreachable, text)
    };
    let (mut send, mut receive) = connection.open_bi().await.map_err(|error| broken(&error))?;
    frame::write(&mut send, &request, enrol::BYTES_MAX).await.map_err(|error| broken(&error))?;
    send.finish().map_err(|error| broken(&error))?;
    let answer = frame::read(&mut receive, enrol::BYTES_MAX).await.map_err(|error| broken(&error))?;
    connection.close(0_u32.into(), b"done");
    match answer {
        Some(EnrolResponse::Certificate { certificate, authority, not_after_s, statement }) => {
            let transport = TransportIdentity { key, certificate, authority, not_after_s };
            accept(identity, transport, statement)
        }
        Some(EnrolResponse::Refused(fault)) => Err(fault),
        None => Err(broken(&std::io::Error::from(std::io::ErrorKind::UnexpectedEof))),
    }
}

/// What the relay gave, if it fits what root says.
fn accept(
    mut identity: Identity,
    transport: TransportIdentity,
    signed: Signed<RelayStatement>,
) -> Result<(Identity, Transport), Fault> {
    let bad = |why: &str| {
        let text = format!("the relay at {} gave {why}; tell IT, and do not go on", identity.relay);
        Fault::new(Code::BadSeal, text)
    };
    let statement = signed.open(&identity.root).map_err(|_| bad("a statement that is not its organisation's"))?;
    if statement.serial < identity.statement.serial {
        return Err(bad("a statement that is out of date"));
    }
    if identity::fingerprint(&transport.authority) != statement.ca_sha256 {
        return Err(bad("a certificate authority that is not its organisation's"));
    }
    let now = now_s();
    if transport.not_after_s <= now {
        return Err(bad("a certificate that is over already (or this machine's clock is wrong)"));
    }
    identity.signed_statement = signed;
    identity.statement = statement;
    Ok((identity, Transport { identity: transport, issued_s: now }))
}

fn already_enrolled(home: &Home) -> Fault {
    let text = format!(
        "this machine is enrolled already ({}); to make it a new member, add --force: its old id is lost",
        home.path().display()
    );
    Fault::new(Code::BadRequest, text)
}

/// The machine's own name, made to fit.
fn machine_name() -> String {
    let name = gethostname::gethostname().to_string_lossy().into_owned();
    let mut name: String = name.chars().filter(|c| !c.is_control()).collect();
    while name.len() > NAME_BYTES_MAX {
        name.pop();
    }
    if identity::name_fits(&name) { name } else { "machine".into() }
}
