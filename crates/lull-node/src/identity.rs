use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use lull_door::{fault::damaged, home};
use lull_net::{TransportIdentity, TransportKey};
use lull_types::{Code, Fault, NodeId};
use lull_wire::{
    PublicKey, SecretKey, Signed, frame,
    identity::{Device, DeviceChain, Membership, RelayStatement},
    job::{Asker, Grant, asker_proof},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use crate::{
    Home,
    orders::{Anchor, OrderFiles},
};

/// Who this machine is in its organisation, with every signature checked.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) key: SecretKey,
    pub(crate) root: PublicKey,
    pub(crate) relay: String,
    pub(crate) signed_statement: Signed<RelayStatement>,
    pub(crate) statement: RelayStatement,
    pub(crate) chain: DeviceChain,
    pub(crate) device: Device,
    /// With what this machine asks; `None` where it joined before there was such a thing.
    pub(crate) member: Option<MemberIdentity>,
}

/// The key that asks for jobs, and what proves to lenders that root has let it in.
#[derive(Debug, Clone)]
pub(crate) struct MemberIdentity {
    pub(crate) key: SecretKey,
    pub(crate) membership: Membership,
}

impl MemberIdentity {
    /// The proof, for one grant, that root has let in who asks.
    pub(crate) fn asker(&self, grant: &Signed<Grant>) -> Asker {
        Asker { membership: self.membership.clone(), proof: self.key.sign(&asker_proof(grant)) }
    }
}

/// What `node.json` holds: what a person may want to read, and the signed documents beside it.
#[derive(Serialize, Deserialize)]
struct NodeFile {
    name: String,
    org: String,
    relay: String,
    node: NodeId,
    documents: String,
}

#[derive(Serialize, Deserialize)]
struct Documents {
    root: PublicKey,
    statement: Signed<RelayStatement>,
    chain: DeviceChain,
    #[serde(default)]
    membership: Option<Membership>,
}

impl Identity {
    /// Checks what belongs together.
    ///
    /// # Errors
    /// A word on what does not.
    pub(crate) fn new(
        key: SecretKey,
        root: PublicKey,
        relay: String,
        signed_statement: Signed<RelayStatement>,
        chain: DeviceChain,
        member: Option<MemberIdentity>,
    ) -> Result<Self, String> {
        let statement = signed_statement.open(&root).map_err(|error| error.to_string())?;
        let device = chain.verify(&root).map_err(|error| error.to_string())?;
        if device.key != key.public() {
            return Err("the device key belongs to another enrolment".into());
        }
        if let Some(member) = &member {
            let found = member.membership.verify(&root).map_err(|error| error.to_string())?;
            if found.key != member.key.public() {
                return Err("the member key belongs to another enrolment".into());
            }
        }
        Ok(Self { key, root, relay, signed_statement, statement, chain, device, member })
    }

    pub(crate) fn is_stored(home: &Home) -> Result<bool, Fault> {
        Ok(home::read(&home.node())?.is_some())
    }

    /// What an earlier enrolment stored.
    ///
    /// # Errors
    /// [`Code::NotEnrolled`] when there was none, [`Code::Storage`] when it is damaged.
    pub(crate) fn load(home: &Home) -> Result<Self, Fault> {
        let path = home.node();
        let (file, documents) = read(home)?.ok_or_else(|| not_enrolled(home.path()))?;
        let key = load_key(&home.device_key())?;
        let Documents { root, statement, chain, membership } = documents;
        let member = match membership {
            Some(membership) => Some(MemberIdentity { key: load_key(&home.member_key())?, membership }),
            None => None,
        };
        Self::new(key, root, file.relay, statement, chain, member).map_err(|why| damaged(&path, &why))
    }

    /// Whose word counts on this machine; `None` where it has joined nothing. Needs no key.
    ///
    /// # Errors
    /// [`Code::Storage`] when what is stored is damaged.
    pub(crate) fn anchor(home: &Home) -> Result<Option<Anchor>, Fault> {
        let Some((_, Documents { root, statement, chain, .. })) = read(home)? else { return Ok(None) };
        let path = home.node();
        let statement = statement.open(&root).map_err(|error| damaged(&path, &error.to_string()))?;
        let device = chain.verify(&root).map_err(|error| damaged(&path, &error.to_string()))?;
        Ok(Some(Anchor { root, statement, floor: device.invitation.policy }))
    }

    /// Stores it; `node.json` comes last, and only with it is the machine enrolled.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub(crate) fn store(&self, home: &Home, transport: &Transport) -> Result<(), Fault> {
        home::remove(&home.node())?;
        OrderFiles::forget(home)?;
        let stored = store_key(&home.device_key(), &self.key)
            .and_then(|()| self.member.as_ref().map_or(Ok(()), |member| store_key(&home.member_key(), &member.key)))
            .and_then(|()| transport.store(home))
            .and_then(|()| self.store_documents(home));
        if stored.is_err() {
            // A part of an enrolment is of no use; the fault that counts is the first.
            for path in [home.node(), home.device_key(), home.member_key(), home.transport()] {
                let _ = home::remove(&path);
            }
        }
        stored
    }

    /// Stores what may change without a new key: the relay's statement.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub(crate) fn store_documents(&self, home: &Home) -> Result<(), Fault> {
        let documents = Documents {
            root: self.root,
            statement: self.signed_statement.clone(),
            chain: self.chain.clone(),
            membership: self.member.as_ref().map(|member| member.membership.clone()),
        };
        let file = NodeFile {
            name: self.device.name.clone(),
            org: self.statement.org.clone(),
            relay: self.relay.clone(),
            node: self.device.node,
            documents: pack(&documents)?,
        };
        home::write(&home.node(), &json(&file)?)
    }
}

/// What an enrolment stored, unchecked.
fn read(home: &Home) -> Result<Option<(NodeFile, Documents)>, Fault> {
    let path = home.node();
    let Some(file) = home::read(&path)? else { return Ok(None) };
    let file: NodeFile = serde_json::from_slice(&file).map_err(|_| damaged(&path, "it is not what Lull wrote"))?;
    let documents = unpack(&file.documents).ok_or_else(|| damaged(&path, "its documents are cut off"))?;
    Ok(Some((file, documents)))
}

/// The key and certificate with which this machine connects.
pub(crate) struct Transport {
    pub(crate) identity: TransportIdentity,
    /// When the certificate was received, in seconds since 1970.
    pub(crate) issued_s: u64,
}

#[derive(Serialize, Deserialize)]
struct TransportFile {
    key: Zeroizing<String>,
    certificate: String,
    authority: String,
    issued_s: u64,
    not_after_s: u64,
}

impl Transport {
    pub(crate) fn load(home: &Home) -> Result<Self, Fault> {
        let path = home.transport();
        let bad = || damaged(&path, "it is not what Lull wrote");
        let file = Zeroizing::new(home::read(&path)?.ok_or_else(|| damaged(&path, "it is missing"))?);
        let file: TransportFile = serde_json::from_slice(&file).map_err(|_| bad())?;
        let identity = TransportIdentity {
            key: TransportKey::from_pem(&file.key).map_err(|_| bad())?,
            certificate: BASE64.decode(&file.certificate).map_err(|_| bad())?,
            authority: BASE64.decode(&file.authority).map_err(|_| bad())?,
            not_after_s: file.not_after_s,
        };
        Ok(Self { identity, issued_s: file.issued_s })
    }

    pub(crate) fn store(&self, home: &Home) -> Result<(), Fault> {
        let file = TransportFile {
            key: Zeroizing::new(self.identity.key.to_pem().to_string()),
            certificate: BASE64.encode(&self.identity.certificate),
            authority: BASE64.encode(&self.identity.authority),
            issued_s: self.issued_s,
            not_after_s: self.identity.not_after_s,
        };
        home::write(&home.transport(), &Zeroizing::new(json(&file)?))
    }
}

fn not_enrolled(home: &Path) -> Fault {
    let home = home.display();
    Fault::new(Code::NotEnrolled, format!("this machine is not enrolled ({home}); run `lull node enroll TOKEN` first"))
}

fn load_key(path: &Path) -> Result<SecretKey, Fault> {
    let text = Zeroizing::new(home::read(path)?.ok_or_else(|| damaged(path, "it is missing"))?);
    let bad = || damaged(path, "it is not a key");
    let bytes = Zeroizing::new(BASE64.decode(text.trim_ascii()).map_err(|_| bad())?);
    let bytes = <&[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| bad())?;
    Ok(SecretKey::from_bytes(bytes))
}

fn store_key(path: &Path, key: &SecretKey) -> Result<(), Fault> {
    let text = Zeroizing::new(format!("{}\n", BASE64.encode(key.to_bytes().as_slice())));
    home::write(path, text.as_bytes())
}

/// The longest packed documents, in bytes.
const DOCUMENTS_BYTES_MAX: usize = 64 * 1024;

fn pack<T: Serialize>(value: &T) -> Result<String, Fault> {
    let frame = frame::encode(value, DOCUMENTS_BYTES_MAX).map_err(|error| internal(&error))?;
    Ok(BASE64.encode(&frame[frame::LENGTH_BYTES..]))
}

fn unpack<T: DeserializeOwned>(text: &str) -> Option<T> {
    frame::decode(&BASE64.decode(text).ok()?).ok()
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, Fault> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| internal(&error))?;
    text.push(b'\n');
    Ok(text)
}

fn internal(error: &dyn std::error::Error) -> Fault {
    Fault::new(Code::Internal, format!("the enrolment cannot be written down: {error}; please report this"))
}
