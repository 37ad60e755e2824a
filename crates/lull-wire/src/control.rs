//! What node and relay say to each other on a connection's first stream. No content ever passes here.

use lull_types::{Epoch, Fault, JobId, Label, ModelHash, NodeId, Pseudonym};
use serde::{Deserialize, Serialize};

use crate::{
    Signed,
    identity::{DeviceChain, Membership, SealingCertificate},
    job::{Grant, Receipt},
    policy::{DenyList, PolicyDocument},
};

/// The longest control message, in bytes.
pub const BYTES_MAX: usize = 256 * 1024;
/// The most models in one offer.
pub const OFFERED_MODELS_MAX: usize = 64;
/// The longest model name, in bytes.
pub const MODEL_NAME_BYTES_MAX: usize = 128;
/// The most jobs of one node that may wait or run at once.
pub const JOBS_PER_NODE_MAX: usize = 256;

/// What a node can do now. Coarse: it says nothing about its owner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Offer {
    /// The models it can run.
    pub models: Vec<OfferedModel>,
    /// Jobs it takes at once in all; 0 lends nothing.
    pub slots: u16,
    /// The labels whose jobs it takes, by its own reading of the rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Label>,
}

/// A model that a node can run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OfferedModel {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub hash: ModelHash,
    /// Its context here, in tokens.
    pub context: u32,
    /// Generated tokens per second measured here; `None` before the first measurement.
    pub decode_tps: Option<f32>,
    /// Prompt tokens per second measured here; `None` before the first measurement.
    pub prefill_tps: Option<f32>,
}

/// From a node to the relay.
#[expect(clippy::large_enum_variant, reason = "each lives from its frame to its handler, and is never kept")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromNode {
    /// The first message on every connection.
    Hello {
        /// Who this is; must belong to the connection's certificate.
        chain: DeviceChain,
        /// The key for jobs sent here until the next restart.
        sealing: Signed<SealingCertificate>,
        /// The node's version of Lull, for the fleet's list.
        version: String,
        /// The key that it asks with, so that the relay can tell others whom it has shut out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        membership: Option<Membership>,
    },
    /// Replaces the offer before it.
    Offer(Offer),
    /// Asks for a lender.
    Submit(Submit),
    /// Gives up a job that waits or runs.
    Cancel {
        /// The job.
        job: JobId,
    },
    /// Takes a reserved job.
    Accept {
        /// The job.
        job: JobId,
        /// The run.
        epoch: Epoch,
        /// Must come back in the grant.
        #[serde(with = "serde_bytes")]
        nonce: [u8; 16],
    },
    /// Refuses a reserved job.
    Decline {
        /// The job.
        job: JobId,
        /// The run.
        epoch: Epoch,
        /// Why.
        reason: Fault,
    },
    /// What a job came to; either side sends one.
    Receipt(Signed<Receipt>),
    /// Its person has logged in at the organisation's provider.
    Login {
        /// The provider's ID token, whose nonce is [`crate::login_nonce`].
        id_token: String,
        /// What the nonce was made with.
        #[serde(with = "serde_bytes")]
        salt: [u8; 32],
    },
    /// What a check that the relay asked for has found.
    Checked {
        /// Which.
        check: u64,
        /// `None`: there is nothing to compare.
        found: Option<Found>,
    },
    /// It follows the organisation's policy of this version now, or knows why it cannot.
    Follows {
        /// The version.
        version: u64,
        /// Why nothing is lent under it.
        fault: Option<Fault>,
    },
}

/// What a checker has found in one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Token positions that were compared.
    pub positions: u32,
    /// How many of them differ, each after the lender's own tokens before it.
    pub different: u32,
}

/// A job without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submit {
    /// The job.
    pub job: JobId,
    /// The run, numbered by the submitter.
    pub epoch: Epoch,
    /// The model's name.
    pub model: String,
    /// Which nodes may see it.
    pub label: Label,
    /// The prompt's length in tokens, estimated by the submitter.
    pub prompt_tokens: u32,
    /// The longest answer, in tokens.
    pub max_tokens: u32,
    /// The submitter's X25519 key for this run: the lender opens the question only if it was sealed with it.
    #[serde(with = "serde_bytes")]
    pub submitter_key: [u8; 32],
    /// It is part of this check, which the relay asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<u64>,
}

/// A model that the relay knows of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CatalogueModel {
    /// Its name.
    pub name: String,
    /// Its bytes, if one node offers it now.
    pub hash: Option<ModelHash>,
    /// How many nodes offer it now.
    pub lenders: u32,
    /// The largest context offered, in tokens.
    pub context: Option<u32>,
    /// The fastest measured, tokens per second.
    pub decode_tps: Option<f32>,
}

/// From the relay to a node.
#[expect(clippy::large_enum_variant, reason = "each lives from its frame to its handler, and is never kept")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromRelay {
    /// The answer to `Hello`.
    Welcome {
        /// The node's id, as the relay sees it.
        node: NodeId,
        /// The relay's clock, in seconds since 1970.
        now_s: u64,
    },
    /// All known models; replaces the list before it.
    Catalogue(Vec<CatalogueModel>),
    /// To the submitter: the job waits.
    Queued {
        /// The job.
        job: JobId,
        /// Jobs before it.
        ahead: u32,
    },
    /// To the submitter: open a stream with this grant.
    Granted {
        /// The relay's permission.
        grant: Signed<Grant>,
        /// The lender's chain to root.
        lender: DeviceChain,
        /// The lender's key.
        sealing: Signed<SealingCertificate>,
    },
    /// To the submitter: there will be no lender.
    Refused {
        /// The job.
        job: JobId,
        /// The run.
        epoch: Epoch,
        /// Why.
        reason: Fault,
    },
    /// To a lender: a job would come. Answer with `Accept` or `Decline`.
    Reserve(Reserve),
    /// To a lender: the reservation is void.
    Release {
        /// The job.
        job: JobId,
        /// The run.
        epoch: Epoch,
    },
    /// The organisation's policy: first of all after the welcome, and whenever there is a new one.
    Policy(Signed<PolicyDocument>),
    /// Whom the organisation has shut out: after the policy, and whenever there is one more.
    Denied(Signed<DenyList>),
    /// Who works at this machine, as the organisation's provider has said.
    Person {
        /// The name that rules use.
        user: String,
        /// The provider's groups.
        groups: Vec<String>,
        /// Until when that counts, in seconds since 1970.
        until_s: u64,
    },
    /// A login does not count.
    LoginRefused(Fault),
    /// To a checker: ask a lender a question of your own like anybody, with a job that names this check; the relay knows
    /// whom. Then compute the answer yourself, with the same label and model, and say what you found.
    Check {
        /// Which.
        check: u64,
        /// The model's name.
        model: String,
        /// The label.
        label: Label,
    },
    /// To anyone: the connection ends now, and why. On [`lull_types::Code::Revoked`] do not come back.
    Goodbye(Fault),
}

/// A job that would come to a lender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserve {
    /// The job.
    pub job: JobId,
    /// The run.
    pub epoch: Epoch,
    /// The exact model.
    pub model: ModelHash,
    /// Its class of data.
    pub label: Label,
    /// Who asks.
    pub pseudonym: Pseudonym,
    /// The prompt's estimated length, in tokens.
    pub prompt_tokens: u32,
    /// The longest answer, in tokens.
    pub max_tokens: u32,
}
