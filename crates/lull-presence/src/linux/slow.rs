//! Work that the kernel or a driver may hold up: it gets a thread of its own and a time limit.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::task::spawn_blocking;

use crate::voice::Voice;

/// A place for one piece of such work at a time: what hangs is not started a second time.
#[derive(Clone, Default)]
pub(crate) struct Slow(Arc<AtomicBool>);

struct Busy(Arc<AtomicBool>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Slow {
    /// Does the work, or says that `who` does not answer.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        voice: &Voice,
        who: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        if self.0.swap(true, Ordering::AcqRel) {
            return Err(format!("{who} does not answer"));
        }
        let busy = Busy(self.0.clone());
        let work = spawn_blocking(move || {
            let done = work();
            drop(busy);
            done
        });
        voice.answer(who, work).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::sync::watch;

    use super::*;
    use crate::{Config, Pace};

    #[tokio::test(flavor = "current_thread")]
    async fn what_hangs_is_not_started_again_until_it_is_done() {
        let (_pace, paced) = watch::channel(Pace::Alert);
        let voice = Voice::new(Arc::new(Config::default()), Arc::new(|_| {}), paced);
        let (slow, (go, wait)) = (Slow::default(), mpsc::channel::<()>());
        let hangs = slow.run(&voice, "it", move || wait.recv().is_ok()).await;
        assert_eq!(hangs, Err("it does not answer".to_owned()));
        let again = slow.run(&voice, "it", || unreachable!("started a second time")).await;
        assert_eq!(again, Err::<(), _>("it does not answer".to_owned()));
        go.send(()).unwrap();
        while slow.0.load(Ordering::Acquire) {
            tokio::task::yield_now().await;
        }
        assert_eq!(slow.run(&voice, "it", || 7).await, Ok(7));
    }
}
