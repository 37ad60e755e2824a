//! What the organisation says to all of its machines: its policy, signed by root, and whom it has shut out, signed by its
//! relay.

use lull_types::NodeId;
use serde::{Deserialize, Serialize};

use crate::{Document, PublicKey, Signed, identity::RelayStatement, job::CLOCK_SKEW_S};

/// The longest text of a policy, in bytes.
pub const POLICY_TEXT_BYTES_MAX: usize = 128 * 1024;
/// The most that a deny-list names.
pub const DENIED_MAX: usize = 2_048;

/// The organisation's policy: one document, so that no part of one can be mixed with parts of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyDocument {
    /// The organisation's name.
    pub org: String,
    /// Grows with every policy; a machine that has seen one takes no lower one.
    pub version: u64,
    /// When it was signed, in seconds since 1970.
    pub issued_s: u64,
    /// When it ends, in seconds since 1970: a machine that is kept from hearing of a newer one lends no longer than this.
    pub not_after_s: u64,
    /// The rules, as `lull-policy` writes them.
    pub text: String,
}

impl Document for PolicyDocument {
    const DOMAIN: &'static str = "lull policy 1";
    const BYTES_MAX: usize = POLICY_TEXT_BYTES_MAX + 1_024;
}

/// Why a policy does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
    /// It is not root's.
    #[error("it is not signed by the organisation's root key")]
    Signature,
    /// It is another organisation's.
    #[error("it is the policy of \"{0}\"")]
    OtherOrg(String),
    /// A later one is known.
    #[error("it is version {got}, and version {known} is known already")]
    Rollback {
        /// What is known.
        known: u64,
        /// What came.
        got: u64,
    },
    /// Two texts with one version.
    #[error("it says something else than the version {0} that is known")]
    Twofold(u64),
    /// It was signed in the future.
    #[error("it was signed in the future: this machine's clock, or the one it was signed at, is wrong")]
    Future,
    /// It is over.
    #[error("it ended, and no newer one has come")]
    Expired,
}

impl PolicyDocument {
    /// The policy, if it is root's for this organisation and nothing newer is known. Whether it is over is for
    /// [`PolicyDocument::check_time`]: what is over still tells how new the next one must be.
    ///
    /// # Errors
    /// [`PolicyFault`].
    pub fn open(signed: &Signed<Self>, root: &PublicKey, org: &str, known: Option<&Self>) -> Result<Self, PolicyFault> {
        let policy = signed.open(root).map_err(|_| PolicyFault::Signature)?;
        if policy.org != org {
            return Err(PolicyFault::OtherOrg(policy.org));
        }
        match known {
            Some(known) if policy.version < known.version => {
                Err(PolicyFault::Rollback { known: known.version, got: policy.version })
            }
            Some(known) if policy.version == known.version && policy != *known => {
                Err(PolicyFault::Twofold(known.version))
            }
            _ if policy.text.len() > POLICY_TEXT_BYTES_MAX || policy.version == 0 => Err(PolicyFault::Signature),
            _ => Ok(policy),
        }
    }

    /// Whether it counts at this moment.
    ///
    /// # Errors
    /// [`PolicyFault::Future`] or [`PolicyFault::Expired`].
    pub const fn check_time(&self, now_s: u64) -> Result<(), PolicyFault> {
        if self.issued_s > now_s.saturating_add(CLOCK_SKEW_S) {
            return Err(PolicyFault::Future);
        }
        if self.not_after_s <= now_s {
            return Err(PolicyFault::Expired);
        }
        Ok(())
    }
}

/// Whom the organisation has shut out and whose certificates might still hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DenyList {
    /// Grows with every list; a machine that has seen one takes no lower one.
    pub version: u64,
    /// Machines, by their ids, in order.
    pub nodes: Vec<NodeId>,
    /// Those machines as they ask: by the ids of their member keys, in order.
    pub members: Vec<NodeId>,
}

impl Document for DenyList {
    const DOMAIN: &'static str = "lull deny list 1";
    const BYTES_MAX: usize = 192 * 1024;
}

impl DenyList {
    /// The list, if it is the relay's and not older than what is known.
    ///
    /// # Errors
    /// [`PolicyFault::Signature`] or [`PolicyFault::Rollback`].
    pub fn open(signed: &Signed<Self>, relay: &RelayStatement, known: u64) -> Result<Self, PolicyFault> {
        let list = signed.open(&relay.grant_key).map_err(|_| PolicyFault::Signature)?;
        if list.version < known {
            return Err(PolicyFault::Rollback { known, got: list.version });
        }
        Ok(list)
    }
}
