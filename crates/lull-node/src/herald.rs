//! Hears what the organisation says to all of its machines, keeps it, and tells the relay when it is followed.

use std::sync::Arc;

use lull_types::Fault;
use lull_wire::{
    Signed,
    control::FromNode,
    policy::{DenyList, PolicyDocument},
};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    identity::Identity,
    lending::RulesNow,
    link::LinkState,
    orders::{Anchor, OrderFiles},
};

/// Whom the organisation has shut out, or why that is not known.
pub(crate) type Denied = Result<Arc<DenyList>, Fault>;

/// Words of the relay that may wait.
pub(crate) const INBOX_MAX: usize = 16;

/// What the organisation says to all.
#[derive(Debug)]
pub(crate) enum Word {
    Policy(Box<Signed<PolicyDocument>>),
    Denied(Box<Signed<DenyList>>),
}

pub(crate) struct Herald {
    pub(crate) files: OrderFiles,
    pub(crate) identity: watch::Receiver<Arc<Identity>>,
    pub(crate) link: watch::Receiver<LinkState>,
    pub(crate) rules: watch::Receiver<RulesNow>,
    pub(crate) denied: watch::Sender<Denied>,
    pub(crate) inbox: mpsc::Receiver<Word>,
    /// Has the rules read again at once.
    pub(crate) look: Arc<Notify>,
    pub(crate) stop: CancellationToken,
}

impl Herald {
    /// Runs until the node stops.
    pub(crate) async fn run(mut self) {
        let mut said = None;
        let mut session = None;
        // Why the last policy that came does not count, until another one does.
        let mut refused: Option<(u64, Fault)> = None;
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                Some(word) = self.inbox.recv() => refused = self.heard(word).await.unwrap_or(refused),
                Ok(()) = self.rules.changed() => {}
                Ok(()) = self.link.changed() => {}
            }
            let now = self.link.borrow_and_update().session().cloned();
            let Some(now) = now else {
                session = None;
                continue;
            };
            if session != Some(now.id) {
                (session, said) = (Some(now.id), None);
            }
            let follows = refused.clone().map_or_else(|| self.follows(), |(version, fault)| (version, Some(fault)));
            if (follows.0 > 0 || follows.1.is_some()) && said.as_ref() != Some(&follows) {
                let (version, fault) = follows.clone();
                now.say(FromNode::Follows { version, fault });
                said = Some(follows);
            }
        }
    }

    /// What counts here now.
    fn follows(&mut self) -> (u64, Option<Fault>) {
        let rules = self.rules.borrow_and_update();
        (rules.policy.map_or(0, |policy| policy.version), rules.unfollowed.clone())
    }

    /// Keeps a word; of a policy, whether it was refused.
    async fn heard(&self, word: Word) -> Option<Option<(u64, Fault)>> {
        let (files, anchor) = (self.files.clone(), Anchor::of(&self.identity.borrow()));
        match word {
            Word::Policy(signed) => {
                let version = signed.claims().map_or(0, |claims| claims.version);
                let kept = tokio::task::spawn_blocking(move || files.keep_policy(&anchor, &signed)).await.ok()?;
                if let Err(fault) = &kept {
                    tracing::error!(code = %fault.code, reason = fault.message, "a policy does not count");
                }
                self.look.notify_one();
                Some(kept.err().map(|fault| (version, fault)))
            }
            Word::Denied(signed) => {
                let known = self.denied.borrow().clone().ok();
                let keep = move || files.keep_denied(&anchor, known.as_deref(), &signed);
                match tokio::task::spawn_blocking(keep).await.ok()? {
                    Ok(list) => drop(self.denied.send_replace(Ok(Arc::new(list)))),
                    Err(fault) => {
                        tracing::error!(code = %fault.code, reason = fault.message, "a deny-list does not count")
                    }
                }
                None
            }
        }
    }
}
