//! Who is who: root → invitation → device → sealing key. The relay vouches for transport only.

use lull_types::NodeId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{BadSignature, Document, PublicKey, Signed};

/// The longest name of a node, a group or an organisation, in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// The most groups of one invitation.
pub const GROUPS_MAX: usize = 16;
/// The most machines that one invitation names.
pub const MACHINES_MAX: usize = 64;

/// Root's word on its relay: which certificate authority carries the transport, which key signs grants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayStatement {
    /// The organisation's name.
    pub org: String,
    /// SHA-256 of the relay's certificate authority, DER.
    #[serde(with = "serde_bytes")]
    pub ca_sha256: [u8; 32],
    /// The key that signs grants.
    pub grant_key: PublicKey,
    /// Grows with every new statement; a lower one is out of date.
    pub serial: u64,
}

impl Document for RelayStatement {
    const DOMAIN: &'static str = "lull relay statement 1";
}

/// Root's permission to join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Which invitation this is.
    #[serde(with = "serde_bytes")]
    pub id: [u8; 16],
    /// The groups its devices belong to.
    pub groups: Vec<String>,
    /// How many devices may join with it. The relay counts.
    pub uses: u32,
    /// The last moment to join, in seconds since 1970.
    pub not_after_s: u64,
    /// The key that certifies the devices.
    pub key: PublicKey,
    /// The names of the machines that may join with it, each once; empty: any. For an invitation that many machines
    /// carry, so that whoever finds it cannot bring in another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub machines: Vec<String>,
    /// Who works at the machine; empty: the machine stands for itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// The organisation's policy must be of this version at least before the machine lends; 0: it may have none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub policy: u64,
}

impl Invitation {
    /// An invitation for any machine that stands for itself, whatever the policy.
    #[must_use]
    pub const fn new(id: [u8; 16], groups: Vec<String>, uses: u32, not_after_s: u64, key: PublicKey) -> Self {
        Self { id, groups, uses, not_after_s, key, machines: Vec::new(), user: String::new(), policy: 0 }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde hands it over")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Document for Invitation {
    const DOMAIN: &'static str = "lull invitation 1";
}

/// An invitation's word on one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceCertificate {
    /// The invitation it joined with.
    #[serde(with = "serde_bytes")]
    pub invitation: [u8; 16],
    /// The device's key.
    pub key: PublicKey,
    /// The device's name.
    pub name: String,
    /// When it joined, in seconds since 1970, by its own clock.
    pub created_s: u64,
}

impl Document for DeviceCertificate {
    const DOMAIN: &'static str = "lull device certificate 1";
}

/// An invitation's word on a key that asks for jobs. It names no machine: a lender learns the groups of who asks, and
/// that root let them in, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberCertificate {
    /// The invitation its device joined with.
    #[serde(with = "serde_bytes")]
    pub invitation: [u8; 16],
    /// The key that asks.
    pub key: PublicKey,
}

impl Document for MemberCertificate {
    const DOMAIN: &'static str = "lull member certificate 1";
}

/// All that proves to a lender that root has let in who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Signed by root.
    pub invitation: Signed<Invitation>,
    /// Signed by the invitation.
    pub member: Signed<MemberCertificate>,
}

/// Somebody who asks, whose membership leads to root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Their id, which follows from their key and from nothing else that is known of them.
    pub id: NodeId,
    /// Their key.
    pub key: PublicKey,
    /// Their groups.
    pub groups: Vec<String>,
}

impl Membership {
    /// Follows the membership to `root`.
    ///
    /// # Errors
    /// [`ChainError`] at the first link that does not hold.
    pub fn verify(&self, root: &PublicKey) -> Result<Member, ChainError> {
        let invitation = self.invitation.open(root)?;
        let member = self.member.open(&invitation.key)?;
        if member.invitation != invitation.id {
            return Err(ChainError::Mixed("member certificate"));
        }
        check_groups(&invitation.groups)?;
        Ok(Member { id: node_id(&member.key), key: member.key, groups: invitation.groups })
    }
}

/// A device's word on the key to which jobs are sealed until it restarts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealingCertificate {
    /// The device.
    pub node: NodeId,
    /// Its X25519 public key for this boot.
    #[serde(with = "serde_bytes")]
    pub key: [u8; 32],
    /// When it was made, in seconds since 1970.
    pub created_s: u64,
}

impl Document for SealingCertificate {
    const DOMAIN: &'static str = "lull sealing certificate 1";
}

/// All that proves a device to anyone who knows the organisation's root key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceChain {
    /// Signed by root.
    pub invitation: Signed<Invitation>,
    /// Signed by the invitation.
    pub device: Signed<DeviceCertificate>,
}

/// A device whose chain leads to root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its id, which follows from its key.
    pub node: NodeId,
    /// Its key.
    pub key: PublicKey,
    /// Its name.
    pub name: String,
    /// Its groups.
    pub groups: Vec<String>,
    /// The invitation it joined with.
    pub invitation: Invitation,
}

/// Why a chain does not lead to root.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// A signature on the way does not hold.
    #[error(transparent)]
    Signature(#[from] BadSignature),
    /// The parts belong to different chains.
    #[error("the {0} belongs to another chain")]
    Mixed(&'static str),
    /// A name or list over its bound.
    #[error("the {0} is too long or empty")]
    Bounds(&'static str),
    /// The invitation names machines, and this is none of them.
    #[error("the invitation is for other machines than \"{0}\"")]
    NotListed(String),
    /// It claims to have joined after its invitation ended.
    #[error("the device joined after its invitation ended")]
    Late,
}

impl DeviceChain {
    /// Follows the chain to `root`.
    ///
    /// # Errors
    /// [`ChainError`] at the first link that does not hold.
    pub fn verify(&self, root: &PublicKey) -> Result<Device, ChainError> {
        let invitation = self.invitation.open(root)?;
        let device = self.device.open(&invitation.key)?;
        if device.invitation != invitation.id {
            return Err(ChainError::Mixed("device certificate"));
        }
        if !name_fits(&device.name) {
            return Err(ChainError::Bounds("device's name"));
        }
        check_groups(&invitation.groups)?;
        if !invitation.user.is_empty() && !name_fits(&invitation.user) {
            return Err(ChainError::Bounds("user's name"));
        }
        if invitation.machines.len() > MACHINES_MAX {
            return Err(ChainError::Bounds("list of machines"));
        }
        if !invitation.machines.is_empty() && !invitation.machines.contains(&device.name) {
            return Err(ChainError::NotListed(device.name));
        }
        if device.created_s > invitation.not_after_s {
            return Err(ChainError::Late);
        }
        let groups = invitation.groups.clone();
        Ok(Device { node: node_id(&device.key), key: device.key, name: device.name, groups, invitation })
    }

    /// Follows the chain to `root`, and on to the key that jobs for the device are sealed to.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn verify_sealing(
        &self,
        root: &PublicKey,
        sealing: &Signed<SealingCertificate>,
    ) -> Result<(Device, [u8; 32]), ChainError> {
        let device = self.verify(root)?;
        let sealing = sealing.open(&device.key)?;
        if sealing.node != device.node {
            return Err(ChainError::Mixed("sealing certificate"));
        }
        Ok((device, sealing.key))
    }
}

fn check_groups(groups: &[String]) -> Result<(), ChainError> {
    if groups.len() > GROUPS_MAX || !groups.iter().all(|group| name_fits(group)) {
        return Err(ChainError::Bounds("list of groups"));
    }
    Ok(())
}

/// Whether a name may be used for a node, a group or an organisation: printable, and within its bound.
#[must_use]
pub fn name_fits(name: &str) -> bool {
    !name.trim().is_empty() && name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control)
}

/// The id that follows from a device key.
#[must_use]
pub fn node_id(key: &PublicKey) -> NodeId {
    let digest = Sha256::digest(key.0);
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    NodeId(id)
}

/// The nonce that a login at the organisation's provider must carry, in hexadecimal: it makes the provider's word one
/// about this machine's person, of no use at any other.
#[must_use]
pub fn login_nonce(device: &PublicKey, salt: &[u8; 32]) -> String {
    let digest = Sha256::digest([b"lull login nonce 1\0".as_slice(), &device.0, salt].concat());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256, as certificates are pinned.
#[must_use]
pub fn fingerprint(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
