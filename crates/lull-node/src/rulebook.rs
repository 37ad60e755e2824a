//! What the organisation's rules let this machine do, for a colleague and of its own. It believes nobody but root.

use std::{sync::Arc, time::Duration};

use lull_policy::{Here, Names, OrgRules, Wanted};
use lull_types::{Code, Fault, Label, LabelView, ModelHash};
use lull_wire::{
    PublicKey, Signed,
    job::{Asker, Grant, asker_proof},
    policy::DenyList,
};
use tokio::sync::watch;

use crate::{confinement::Sandbox, herald::Denied, identity::Identity, lending::RulesNow};

/// The rules as they are now, and what of this machine they are about.
#[derive(Debug, Clone)]
pub(crate) struct Rulebook {
    pub(crate) rules: watch::Receiver<RulesNow>,
    pub(crate) denied: watch::Receiver<Denied>,
    pub(crate) identity: watch::Receiver<Arc<Identity>>,
    pub(crate) sandbox: Sandbox,
    /// Nobody sits at this machine.
    pub(crate) dedicated: bool,
}

/// How long a question waits for a policy that has not come yet.
const LATE_MAX: Duration = Duration::from_secs(3);

/// Who asked, as they have proved it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proved {
    pub(crate) groups: Vec<String>,
}

impl Rulebook {
    /// Whether this machine may run a job as far as it is known; `model`: as this machine calls it.
    ///
    /// # Errors
    /// [`Code::Forbidden`] with the rule.
    pub(crate) fn may_serve(
        &self,
        label: &Label,
        model: &str,
        hash: &ModelHash,
        asker: Option<&Proved>,
    ) -> Result<(), Fault> {
        let identity = self.identity.borrow().clone();
        let groups = &identity.device.groups;
        let here = Here { groups, tier: self.sandbox.now().view().tier, dedicated: self.dedicated };
        let wanted = Wanted { label, model, hash, asker: asker.map(|asker| asker.groups.as_slice()) };
        Ok(self.rules.borrow().effective.org.may_serve(here, wanted)?)
    }

    /// The labels whose jobs this machine takes.
    pub(crate) fn labels(&self) -> Vec<Label> {
        let identity = self.identity.borrow().clone();
        let (tier, groups) = (self.sandbox.now().view().tier, &identity.device.groups);
        let rules = self.rules.borrow();
        let org = &rules.effective.org;
        let takes = |label: &Label| org.may_lend_here(label, groups, tier, self.dedicated).is_ok();
        org.all_labels().into_iter().filter(takes).collect()
    }

    /// Every label, and what this machine has to do with it.
    pub(crate) fn label_views(&self) -> Vec<LabelView> {
        let identity = self.identity.borrow().clone();
        let (tier, groups) = (self.sandbox.now().view().tier, &identity.device.groups);
        let rules = self.rules.borrow();
        let org = &rules.effective.org;
        let view = |label: Label| {
            let here = org.may_lend_here(&label, groups, tier, self.dedicated);
            let rule = org.labels.get(&label).cloned().unwrap_or_default();
            let list = |names: Option<Names>| names.map(|names| names.into_iter().collect());
            LabelView {
                runs_here: here.is_ok(),
                why: here.err().map(|denied| denied.to_string()).unwrap_or_default(),
                may_send: org.may_send(&label, groups).is_ok(),
                askers: list(rule.askers),
                lenders: list(rule.lenders),
                sites: list(rule.sites),
                tier: rule.tier,
                dedicated: rule.dedicated == Some(true),
                label,
            }
        };
        org.all_labels().into_iter().map(view).collect()
    }

    /// Whether this machine may use a model of that name and these bytes at all.
    pub(crate) fn may_run(&self, model: &str, hash: &ModelHash) -> bool {
        self.rules.borrow().effective.org.may_run(model, hash).is_ok()
    }

    /// Who asks, if root has let them in and nobody has shut them out since; the relay's word counts for nothing here.
    ///
    /// # Errors
    /// [`Code::Forbidden`].
    pub(crate) fn prove(&self, asker: Option<&Asker>, grant: &Signed<Grant>) -> Result<Proved, Fault> {
        prove(asker, grant, &self.identity.borrow().root, self.denied()?.as_ref())
    }

    /// Whom the organisation has shut out.
    ///
    /// # Errors
    /// When that is not known.
    pub(crate) fn denied(&self) -> Denied {
        self.denied.borrow().clone()
    }

    /// Whether a question may be asked from here.
    ///
    /// # Errors
    /// [`Code::BadRequest`] for a label that does not exist, [`Code::Forbidden`] with the rule.
    pub(crate) fn may_ask(&self, label: &Label, model: &str) -> Result<(), Fault> {
        let rules = self.rules.borrow();
        rules.effective.org.may_ask(label, model, &self.identity.borrow().device.groups)?;
        // Without its rules nobody knows which machines a question may go to.
        match rules.unfollowed.as_ref().filter(|_| *label != Label::public()) {
            Some(why) => {
                let text = format!("only questions labelled public are sent until this is mended: {}", why.message);
                Err(Fault::new(Code::Forbidden, text))
            }
            None => Ok(()),
        }
    }

    /// Waits a little for the organisation's policy where it is only late: it comes with the first connection after
    /// joining, and people ask at once.
    pub(crate) async fn arrived(&self) {
        let late = |now: &RulesNow| now.unfollowed.as_ref().is_some_and(|fault| fault.code == Code::Expired);
        let mut rules = self.rules.clone();
        // What is still not there is a matter for whoever asks for it.
        let _ = tokio::time::timeout(LATE_MAX, rules.wait_for(|now| !late(now))).await;
    }

    /// Resolves when a rule has changed.
    pub(crate) async fn changed(&mut self) {
        if self.rules.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The rules for whoever asks from here.
    pub(crate) fn org(&self) -> OrgRules {
        self.rules.borrow().effective.org.clone()
    }
}

fn prove(asker: Option<&Asker>, grant: &Signed<Grant>, root: &PublicKey, denied: &DenyList) -> Result<Proved, Fault> {
    let refused = |why: &str| Fault::new(Code::Forbidden, format!("whoever asks {why}: the job was refused"));
    let asker = asker.ok_or_else(|| {
        refused("did not prove to belong to this organisation (a machine that joined with an older Lull joins anew)")
    })?;
    let member = asker
        .membership
        .verify(root)
        .map_err(|error| refused(&format!("is not let in by the organisation's root ({error})")))?;
    if !member.key.verifies(&asker_proof(grant), &asker.proof) {
        return Err(refused("did not prove to be who the grant is for"));
    }
    if denied.members.binary_search(&member.id).is_ok() {
        return Err(refused("was shut out of the organisation"));
    }
    Ok(Proved { groups: member.groups })
}
