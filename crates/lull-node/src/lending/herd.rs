//! The workers of this node, held by the freezer and ended together.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use lull_sandbox::Freezer;
use lull_types::{Code, Fault};

/// Every worker that runs. New ones join before they are given anything to do.
#[derive(Debug)]
pub(crate) struct Herd {
    freezer: Arc<Freezer>,
    held: Mutex<Vec<Weak<lull_sandbox::Adopted>>>,
}

struct Held(Arc<lull_sandbox::Adopted>);

impl Herd {
    pub(crate) fn new(freezer: Arc<Freezer>) -> Arc<Self> {
        Arc::new(Self { freezer, held: Mutex::default() })
    }

    pub(crate) fn freezer(&self) -> &Arc<Freezer> {
        &self.freezer
    }

    /// Ends every worker, all at once and each on a thread of its own: giving memory back takes its time, and nobody
    /// here has to wait for it.
    pub(crate) fn end_all(&self) {
        let held = std::mem::take(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner));
        for worker in held.into_iter().filter_map(|worker| worker.upgrade()) {
            std::thread::spawn(move || {
                lull_sandbox::hurry();
                let ended = worker.end();
                tracing::debug!(pid = worker.pid(), ?ended, "a worker was ended for its machine's owner");
            });
        }
    }
}

impl lull_engine::Keeper for Herd {
    fn adopt(&self, pid: u32) -> Result<Box<dyn lull_engine::Adopted>, Fault> {
        let adopted = self.freezer.adopt(pid).map_err(|error| {
            let text = format!("a worker cannot be held so that it can be frozen ({error}), so it does not run");
            Fault::new(Code::WorkerDied, text)
        })?;
        let adopted = Arc::new(adopted);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|worker| worker.strong_count() > 0);
        held.push(Arc::downgrade(&adopted));
        Ok(Box::new(Held(adopted)))
    }
}

impl lull_engine::Adopted for Held {
    fn end(&self) {
        self.0.end();
    }
}
