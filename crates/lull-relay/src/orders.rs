use std::{sync::Arc, time::Duration};

use lull_policy::{OrgRules, Policy};
use lull_types::NodeId;
use lull_wire::{
    PublicKey, Signed,
    policy::{DenyList, PolicyDocument},
};
use tokio::{
    sync::{Notify, mpsc},
    time::{MissedTickBehavior, interval},
};

use crate::{
    RelayError,
    actor::Event,
    ledger::{Ledger, Orders},
};

/// How often the ledger is asked what counts for everybody, in milliseconds.
const LOOK_EVERY_MS: u64 = 2_000;

/// What counts for everybody, read.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) policy: Option<Ruling>,
    pub(crate) revoked: Vec<NodeId>,
    pub(crate) denied: DenyList,
}

/// The organisation's policy, as root signed it and as it is followed.
#[derive(Debug)]
pub(crate) struct Ruling {
    pub(crate) signed: Signed<PolicyDocument>,
    pub(crate) version: u64,
    pub(crate) rules: Arc<OrgRules>,
}

/// Whose word a policy must be.
#[derive(Debug, Clone)]
pub(crate) struct Author {
    pub(crate) root: PublicKey,
    pub(crate) org: String,
}

impl Author {
    /// # Errors
    /// What is wrong with the policy: it is not root's, or this version of Lull cannot follow it.
    pub(crate) fn read(&self, orders: Orders) -> Result<Standing, String> {
        let Orders { policy, revoked, denied } = orders;
        let ruling = |signed: Signed<PolicyDocument>| {
            let policy =
                PolicyDocument::open(&signed, &self.root, &self.org, None).map_err(|error| error.to_string())?;
            let rules = Policy::parse("policy", &policy.text).map_err(|error| error.to_string())?;
            Ok::<_, String>(Ruling { signed, version: policy.version, rules: Arc::new(rules.org) })
        };
        Ok(Standing { policy: policy.map(ruling).transpose()?, revoked, denied })
    }

    /// The same at the start, where nothing can go on without it.
    ///
    /// # Errors
    /// [`RelayError::Inconsistent`].
    pub(crate) fn read_first(&self, orders: Orders) -> Result<Standing, RelayError> {
        self.read(orders).map_err(|why| {
            let text =
                format!("the organisation's policy in the relay's database cannot be followed ({why}): push it again");
            RelayError::Inconsistent(text)
        })
    }
}

/// Tells the actor of whatever changes in the ledger, also of what somebody else wrote there: neither a revocation nor
/// a policy may depend on a command's word reaching this process. Ends when the actor is gone.
pub(crate) async fn watch(
    ledger: Arc<dyn Ledger>,
    author: Author,
    events: mpsc::WeakSender<Event>,
    look: Arc<Notify>,
    mut told: Orders,
) {
    let mut ticks = interval(Duration::from_millis(LOOK_EVERY_MS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = look.notified() => {}
        }
        let Some(events) = events.upgrade() else { return };
        let orders = match ledger.orders().await {
            Ok(orders) => orders,
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(%error, "the ledger does not say who was revoked: check the disk");
                }
                continue;
            }
        };
        failing = false;
        if orders == told {
            continue;
        }
        told = orders.clone();
        let standing = author.read(orders).or_else(|why| {
            tracing::error!(why, "a policy in the database cannot be followed: the one before it still counts");
            author.read(Orders { policy: None, ..told.clone() })
        });
        if let Ok(standing) = standing
            && events.send(Event::Orders(Box::new(standing))).await.is_err()
        {
            return;
        }
    }
}
