//! Who may be believed, at both ends of a job. Everything here is pure.

use lull_policy::OrgRules;
use lull_types::{Code, Epoch, Fault, JobId, Label, ModelHash, NodeId};
use lull_wire::{
    PublicKey, Signed,
    control::Reserve,
    identity::Device,
    job::{CLOCK_SKEW_S, GRANT_OPEN_S, Grant},
    policy::DenyList,
};

use crate::{identity::Identity, submitter::Granted};

/// What the submitter asked for, to be found again in the grant.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) job: JobId,
    pub(crate) epoch: Epoch,
    pub(crate) label: Label,
    /// The model's name.
    pub(crate) name: String,
    pub(crate) submitter_key: [u8; 32],
    /// The model's bytes, once an earlier run has used them.
    pub(crate) model: Option<ModelHash>,
}

/// What the organisation has said to all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Law<'a> {
    pub(crate) rules: &'a OrgRules,
    pub(crate) denied: &'a DenyList,
}

/// A lender that a question may be sealed to.
#[derive(Debug, Clone)]
pub(crate) struct Lender {
    pub(crate) device: Device,
    pub(crate) key: [u8; 32],
    pub(crate) grant: Grant,
}

/// Whether the relay granted what was asked for, and a lender whose keys lead to root.
///
/// # Errors
/// [`Code::LenderUntrusted`], [`Code::BadSeal`] or [`Code::Expired`].
pub(crate) fn check_granted(
    granted: &Granted,
    asked: &Asked,
    identity: &Identity,
    law: Law<'_>,
    now_s: u64,
) -> Result<Lender, Fault> {
    let grant = granted.grant.open(&identity.statement.grant_key).map_err(|_| bad_grant("is not signed by it"))?;
    if grant.job != asked.job || grant.epoch != asked.epoch {
        return Err(bad_grant("is for another job"));
    }
    if grant.submitter_key != asked.submitter_key {
        return Err(bad_grant("names another machine's key as the asking one"));
    }
    if grant.label != asked.label {
        return Err(bad_grant("has another label than the question"));
    }
    if asked.model.is_some_and(|model| model != grant.model) {
        return Err(bad_grant("is for other model files than those that an earlier run used"));
    }
    if !is_current(&grant, now_s) {
        return Err(over());
    }
    let untrusted = |why: String| {
        let text = format!("the relay named a machine that cannot be trusted with the question ({why}); tell IT");
        Fault::new(Code::LenderUntrusted, text)
    };
    let (device, key) = granted
        .lender
        .verify_sealing(&identity.root, &granted.sealing)
        .map_err(|error| untrusted(error.to_string()))?;
    if device.node != grant.lender {
        return Err(untrusted("its keys are another machine's".into()));
    }
    if law.denied.nodes.binary_search(&device.node).is_ok() {
        return Err(untrusted("it was shut out of the organisation".into()));
    }
    law.rules.may_lend(&asked.label, &device.groups).map_err(|denied| untrusted(denied.to_string()))?;
    law.rules.may_run(&asked.name, &grant.model).map_err(|denied| untrusted(denied.to_string()))?;
    Ok(Lender { device, key, grant })
}

/// Whether a grant's end is one that a relay whose clock is about right gives now.
const fn is_current(grant: &Grant, now_s: u64) -> bool {
    grant.not_after_s.saturating_add(CLOCK_SKEW_S) >= now_s
        && grant.not_after_s <= now_s.saturating_add(GRANT_OPEN_S + CLOCK_SKEW_S)
}

fn bad_grant(why: &str) -> Fault {
    Fault::new(Code::BadSeal, format!("the relay's grant {why}: the question was not sent; tell IT"))
}

fn over() -> Fault {
    let text = "the relay's grant is over, or from a clock that is far ahead: the question was not sent; ask again, and \
                check this machine's clock";
    Fault::new(Code::Expired, text)
}

/// What the lender said when it accepted a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) reserve: Reserve,
    pub(crate) nonce: [u8; 16],
}

/// Whether a grant is the relay's, for this lender, and for exactly what it accepted.
///
/// # Errors
/// [`Code::BadSeal`], [`Code::Forbidden`] or [`Code::Expired`].
pub(crate) fn check_claim(
    signed: &Signed<Grant>,
    grant_key: &PublicKey,
    me: NodeId,
    accepted: Option<&Accepted>,
    now_s: u64,
) -> Result<Grant, Fault> {
    let refused = |code: Code, why: &str| Fault::new(code, format!("the grant {why}: the job was refused"));
    let grant = signed.open(grant_key).map_err(|_| refused(Code::BadSeal, "is not signed by the relay"))?;
    if grant.lender != me {
        return Err(refused(Code::Forbidden, "is for another machine"));
    }
    let Some(accepted) = accepted else {
        return Err(refused(Code::Forbidden, "has no reservation here, or was used already"));
    };
    if grant.nonce != accepted.nonce {
        return Err(refused(Code::Forbidden, "does not carry what this machine said when it accepted"));
    }
    let Reserve { job, epoch, model, label, pseudonym, prompt_tokens: _, max_tokens: _ } = &accepted.reserve;
    let same = grant.job == *job && grant.epoch == *epoch && grant.label == *label && grant.pseudonym == *pseudonym;
    if !same || grant.model != *model {
        return Err(refused(Code::Forbidden, "is for another job or model than the one reserved"));
    }
    if !is_current(&grant, now_s) {
        return Err(refused(Code::Expired, "is over, or from a clock that is far ahead"));
    }
    Ok(grant)
}
