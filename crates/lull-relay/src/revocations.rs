use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use crate::{actor::Event, ledger::Ledger};

/// How often the ledger is asked who was revoked, in milliseconds.
const LOOK_EVERY_MS: u64 = 2_000;

/// Tells the actor of every revoked node that the ledger knows, also of those that somebody else wrote there: a
/// revocation must not depend on the command's word reaching this process. Ends when the actor is gone.
pub(crate) async fn watch(ledger: Arc<dyn Ledger>, events: mpsc::WeakSender<Event>) {
    let mut ticks = interval(Duration::from_millis(LOOK_EVERY_MS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = BTreeSet::new();
    let mut failing = false;
    loop {
        ticks.tick().await;
        let Some(events) = events.upgrade() else { return };
        let revoked = match ledger.revoked().await {
            Ok(revoked) => revoked,
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(%error, "the ledger does not say who was revoked: check the disk");
                }
                continue;
            }
        };
        failing = false;
        for node in revoked {
            if told.insert(node) && events.send(Event::Revoked { node }).await.is_err() {
                return;
            }
        }
    }
}
