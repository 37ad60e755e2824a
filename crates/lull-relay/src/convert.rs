use lull_core::scheduler::{self, CatalogueEntry, Input, Refusal};
use lull_policy::Quota;
use lull_types::{Code, Fault, NodeId, Sampling};
use lull_wire::control::{self, CatalogueModel, FromNode, MODEL_NAME_BYTES_MAX, OFFERED_MODELS_MAX};

/// The longest sentence of a node's that is kept, in characters.
const SENTENCE_CHARS_MAX: usize = 500;
/// The most labels of one offer that are looked at.
const LABELS_MAX: usize = 64;

/// What becomes of a message from a node.
#[derive(Debug)]
pub(crate) enum Said {
    /// It is the scheduler's; a question may be part of a check.
    Input(Input, Option<u64>),
    /// It is what a check has found.
    Checked {
        /// Which.
        check: u64,
        /// What.
        found: Option<control::Found>,
    },
    /// It is a receipt.
    Receipt(lull_wire::Signed<lull_wire::job::Receipt>),
    /// Its person has logged in.
    Login {
        /// The provider's word.
        id_token: String,
        /// What its nonce was made with.
        salt: [u8; 32],
    },
    /// It says which policy it follows.
    Follows {
        /// The version.
        version: u64,
        /// Why it cannot.
        fault: Option<Fault>,
    },
    /// It is a question that cannot be asked; the connection goes on.
    Refused(control::Submit, Fault),
    /// It has no place here; the connection ends.
    Fault(Fault),
}

/// Checks the bounds of a message and takes it apart.
pub(crate) fn said(node: NodeId, message: FromNode) -> Said {
    match message {
        FromNode::Hello { .. } => Said::Fault(Fault::new(Code::BadRequest, "Hello is said once per connection")),
        FromNode::Offer(offer) => match check_offer(&offer) {
            Some(fault) => Said::Fault(fault),
            None => Said::Input(Input::Offer { node, offer: to_offer(offer) }, None),
        },
        FromNode::Submit(submit) => match check_submit(&submit) {
            Some(fault) => Said::Refused(submit, fault),
            None => {
                let check = submit.check;
                Said::Input(Input::Submit { submitter: node, submit: to_submit(submit) }, check)
            }
        },
        FromNode::Cancel { job } => Said::Input(Input::Cancel { submitter: node, job }, None),
        FromNode::Accept { job, epoch, nonce } => Said::Input(Input::Accepted { node, job, epoch, nonce }, None),
        FromNode::Checked { check, found } => Said::Checked { check, found },
        FromNode::Decline { job, epoch, reason } => {
            Said::Input(Input::Declined { node, job, epoch, code: reason.code }, None)
        }
        FromNode::Receipt(receipt) => Said::Receipt(receipt),
        FromNode::Login { id_token, .. } if id_token.len() > lull_oidc::TOKEN_BYTES_MAX => {
            Said::Fault(Fault::new(Code::BadRequest, "what the provider said is too long"))
        }
        FromNode::Login { id_token, salt } => Said::Login { id_token, salt },
        FromNode::Follows { version, fault } => Said::Follows { version, fault: fault.map(plain) },
    }
}

fn name_fits(name: &str) -> bool {
    !name.is_empty() && name.len() <= MODEL_NAME_BYTES_MAX && !name.chars().any(char::is_control)
}

fn check_offer(offer: &control::Offer) -> Option<Fault> {
    let bad = |text: String| Some(Fault::new(Code::BadRequest, text));
    if offer.models.len() > OFFERED_MODELS_MAX {
        return bad(format!("an offer names at most {OFFERED_MODELS_MAX} models, not {}", offer.models.len()));
    }
    if !offer.models.iter().all(|model| name_fits(&model.name)) {
        return bad(format!("a model's name has 1 to {MODEL_NAME_BYTES_MAX} printable bytes"));
    }
    let mut names: Vec<_> = offer.models.iter().map(|model| &model.name).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return bad("an offer names each model once".into());
    }
    None
}

fn check_submit(submit: &control::Submit) -> Option<Fault> {
    let bad = |text: String| Some(Fault::new(Code::BadRequest, text));
    if !name_fits(&submit.model) {
        return bad(format!("a model's name has 1 to {MODEL_NAME_BYTES_MAX} printable bytes"));
    }
    if submit.max_tokens == 0 || submit.max_tokens > Sampling::MAX_TOKENS_MAX {
        return bad(format!("an answer may have 1 to {} tokens", Sampling::MAX_TOKENS_MAX));
    }
    None
}

fn to_offer(offer: control::Offer) -> scheduler::Offer {
    let model = |model: control::OfferedModel| scheduler::OfferedModel {
        name: model.name,
        hash: model.hash,
        context: model.context,
        decode_tps: model.decode_tps,
        prefill_tps: model.prefill_tps,
    };
    let labels = offer.labels.into_iter().take(LABELS_MAX).collect();
    scheduler::Offer { models: offer.models.into_iter().map(model).collect(), slots: offer.slots, labels }
}

fn to_submit(submit: control::Submit) -> scheduler::Submit {
    scheduler::Submit {
        job: submit.job,
        epoch: submit.epoch,
        model: submit.model,
        label: submit.label,
        prompt_tokens: submit.prompt_tokens,
        max_tokens: submit.max_tokens,
        submitter_key: submit.submitter_key,
        // The relay says whom a check is for, not whoever asks.
        check: None,
    }
}

pub(crate) fn catalogue_model(entry: CatalogueEntry) -> CatalogueModel {
    CatalogueModel {
        name: entry.name,
        hash: entry.hash,
        lenders: entry.lenders,
        context: entry.context,
        decode_tps: entry.decode_tps,
    }
}

pub(crate) fn refusal(why: Refusal) -> Fault {
    let (code, text) = match why {
        Refusal::ModelUnknown => {
            (Code::ModelUnknown, "no node of this organisation has ever offered this model: look at `lull models list`")
        }
        Refusal::NoOffer => (Code::NoLender, "no machine offers this model now: try again when one is free"),
        Refusal::Declined => (Code::NoLender, "every machine that has this model declined: try again in a moment"),
        Refusal::Busy => (Code::Busy, "every machine that has this model stayed busy: try again later"),
        Refusal::QueueFull => (Code::Busy, "too many jobs wait in this organisation: try again later"),
        Refusal::TooManyJobs => (Code::Busy, "this machine has too many jobs under way: wait for some of them"),
        Refusal::ContextExceeded => {
            (Code::ContextExceeded, "the prompt is too long for every machine that has this model: shorten it")
        }
        Refusal::Denied(denied) => return Fault::new(Code::Forbidden, denied.to_string()),
        Refusal::LabelNowhere(denied) => {
            let text =
                format!("no machine that may see this is there now: {denied}; try again later, or use another label");
            return Fault::new(Code::NoLender, text);
        }
        Refusal::Quota { quota, left } => return used_up(&quota, left),
        Refusal::BadEpoch => (Code::BadRequest, "this job or run was asked for before: number a new one"),
    };
    Fault::new(code, text)
}

/// A node's sentence, as short and plain as one that is kept and shown to an administrator must be.
fn plain(fault: Fault) -> Fault {
    let text = fault.message.chars().filter(|c| !c.is_control()).take(SENTENCE_CHARS_MAX).collect::<String>();
    Fault::new(fault.code, text)
}

fn used_up(quota: &Quota, left: u64) -> Fault {
    let whose = match (&quota.group, &quota.user) {
        (_, Some(user)) => format!("of {user}"),
        (Some(group), None) if quota.each => format!("of each member of {group}"),
        (Some(group), None) => format!("of {group} together"),
        (None, None) if quota.each => "of each person".into(),
        (None, None) => "of everybody together".into(),
    };
    let model = quota.model.as_ref().map(|model| format!(" with {model}")).unwrap_or_default();
    let text = format!(
        "{left} tokens are left of the {} a day {whose}{model}: make the question or its longest answer shorter, or ask \
         again after midnight UTC (rule quotas)",
        quota.tokens_per_day
    );
    Fault::new(Code::QuotaUsed, text)
}

pub(crate) fn revoked() -> Fault {
    Fault::new(Code::Revoked, "this machine was shut out of the organisation: ask whoever runs the relay")
}
