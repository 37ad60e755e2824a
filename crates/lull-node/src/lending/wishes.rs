//! What its people want of this machine, as it is kept on the disk and as it changes.

use std::sync::Arc;

use lull_core::lending::Rules;
use lull_policy::Effective;
use lull_types::{Fault, RuleValue};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::rules::{Timing, rules};
use crate::agreed::{self, Agreed, AgreedFiles, Paused, PolicyNow};

/// A person's and their organisation's word about lending.
pub(crate) struct Wishes {
    files: AgreedFiles,
    following: watch::Receiver<Agreed>,
    /// What the files said last.
    agreed: Agreed,
    /// They have changed since.
    stale: bool,
    dedicated: bool,
    timing: Timing,
}

/// The rules as everybody may see them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RulesNow {
    /// What can be followed of them.
    pub(crate) effective: Arc<Effective>,
    /// Why the files cannot be followed: nothing is lent then.
    pub(crate) broken: Option<Fault>,
    /// The policy among them.
    pub(crate) policy: Option<PolicyNow>,
    /// Why that is not all that the organisation says.
    pub(crate) unfollowed: Option<Fault>,
}

impl Wishes {
    /// Reads and follows the files, until `stop`. Must be called inside a tokio runtime.
    pub(crate) fn follow(
        files: AgreedFiles,
        dedicated: bool,
        timing: Timing,
        look: Arc<Notify>,
        stop: CancellationToken,
    ) -> Self {
        let following = agreed::follow(files.clone(), look, stop);
        let agreed = following.borrow().clone();
        Self { files, following, agreed, stale: false, dedicated, timing }
    }

    /// The rules as they can be followed; which of them allow lending says [`Wishes::rules`].
    pub(crate) fn effective(&self) -> &Effective {
        &self.agreed.readable
    }

    /// Resolves when a file says something else. Can be dropped without losing that.
    ///
    /// The files are read again then: what was seen may be from before this node's own last word.
    pub(crate) async fn changed(&mut self) {
        if !self.stale {
            if self.following.changed().await.is_err() {
                // The node is stopping.
                std::future::pending::<()>().await;
            }
            self.stale = true;
        }
        let files = self.files.clone();
        // A disk that does not answer holds up this reading only.
        if let Ok(agreed) = tokio::task::spawn_blocking(move || files.read()).await {
            self.take(agreed);
        }
    }

    fn take(&mut self, agreed: Agreed) {
        self.agreed = agreed;
        self.stale = false;
    }

    /// What counts for the lending machine now.
    pub(crate) fn rules(&self) -> Rules {
        rules(self.effective(), self.broken(), self.dedicated, self.timing)
    }

    fn broken(&self) -> Option<&Fault> {
        self.agreed.rules.as_ref().err().or(self.agreed.paused.as_ref().err())
    }

    /// What everybody may see of the rules now.
    pub(crate) fn now(&self) -> RulesNow {
        let Agreed { policy, readable, org, .. } = &self.agreed;
        let policy = policy.as_ref().ok().copied().flatten();
        RulesNow { effective: readable.clone(), broken: self.broken().cloned(), policy, unfollowed: org.clone().err() }
    }

    /// The pause that was kept.
    pub(crate) fn pause(&self) -> Option<Paused> {
        self.agreed.paused.clone().ok().flatten()
    }

    /// Keeps that its owner agrees to lend, or does not.
    ///
    /// # Errors
    /// When the file cannot be written or followed.
    pub(crate) fn agree(&mut self, on: bool) -> Result<(), Fault> {
        self.files.set_enabled(on)?;
        self.reread()
    }

    /// Keeps its owner's word on one rule.
    ///
    /// # Errors
    /// Those of [`AgreedFiles::set_rule`].
    pub(crate) fn set_rule(&mut self, key: &str, value: Option<&RuleValue>, org: &str) -> Result<(), Fault> {
        self.files.set_rule(key, value, org)?;
        self.reread()
    }

    fn reread(&mut self) -> Result<(), Fault> {
        let agreed = self.files.read();
        let read = agreed.rules.clone();
        self.take(agreed);
        read
    }

    /// Keeps a pause.
    ///
    /// # Errors
    /// When it cannot be written: it holds until the node stops, then.
    pub(crate) fn keep_pause(&mut self, paused: Paused) -> Result<(), Fault> {
        self.files.pause(paused)?;
        self.take(self.files.read());
        Ok(())
    }

    /// Ends the pause that was kept.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub(crate) fn forget_pause(&mut self) -> Result<(), Fault> {
        self.files.resume()?;
        self.take(self.files.read());
        Ok(())
    }
}
