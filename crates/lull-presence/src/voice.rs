//! What a sensor is given: where to speak, how often, and how long to wait for others.

use std::{future::Future, sync::Arc, time::Duration};

use lull_types::{Observation, Reading, Source};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

use crate::{Config, Pace, Sink};

/// How long another process (a bus, a display server) may take to answer before its source counts as blind.
pub(crate) const ANSWER_MAX: Duration = Duration::from_millis(450);

/// One sensor's own.
#[derive(Clone)]
pub(crate) struct Voice {
    pub(crate) config: Arc<Config>,
    sink: Sink,
    pace: watch::Receiver<Pace>,
    /// When the beat that is waited for comes.
    due: Option<(Instant, Pace)>,
}

impl Voice {
    pub(crate) fn new(config: Arc<Config>, sink: Sink, pace: watch::Receiver<Pace>) -> Self {
        Self { config, sink, pace, due: None }
    }

    /// Says a source's word.
    pub(crate) fn say(&self, source: Source, reading: Reading) {
        (self.sink)(Observation { source, reading });
    }

    /// Waits for the next beat; a change of pace is one. A wait that is given up is taken up again by the next call:
    /// events cannot keep a beat from coming.
    pub(crate) async fn beat(&mut self) {
        let (now, pace) = (Instant::now(), *self.pace.borrow_and_update());
        let due = match self.due {
            Some((due, of)) if of == pace => due,
            // It changed while nobody waited here.
            Some(_) => now,
            None => now + pace.beat(),
        };
        self.due = Some((due, pace));
        tokio::select! {
            () = sleep_until(due) => {}
            Ok(()) = self.pace.changed() => {}
        }
        self.due = None;
    }

    /// An answer, or why there is none.
    pub(crate) async fn answer<T, E: std::fmt::Display>(
        &self,
        who: &str,
        asked: impl Future<Output = Result<T, E>>,
    ) -> Result<T, String> {
        match timeout(ANSWER_MAX, asked).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(format!("{who} cannot be asked ({error})")),
            Err(_) => Err(format!("{who} does not answer")),
        }
    }

    /// Says the same at every beat, for ever.
    pub(crate) async fn repeat(&mut self, source: Source, reading: &Reading) -> ! {
        loop {
            self.say(source, reading.clone());
            self.beat().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pace_that_changed_while_nobody_waited_is_a_beat() {
        let (pace, paces) = watch::channel(Pace::Calm);
        let mut voice = Voice::new(Arc::new(Config::default()), Arc::new(drop), paces);
        let began = Instant::now();
        let at = async |voice: &mut Voice| {
            voice.beat().await;
            began.elapsed()
        };
        // A beat that is waited for, and given up for an event. The pace changes while that is dealt with.
        assert!(timeout(Duration::from_secs(1), voice.beat()).await.is_err(), "a calm beat is far");
        pace.send_replace(Pace::Alert);
        let changed = Duration::from_secs(1);
        assert_eq!(at(&mut voice).await, changed, "the change itself");
        assert_eq!(at(&mut voice).await, changed + Pace::Alert.beat(), "and the new pace from then on");
        // A wait that is given up puts nothing off.
        assert!(timeout(Duration::from_millis(300), voice.beat()).await.is_err());
        assert_eq!(at(&mut voice).await, changed + 2 * Pace::Alert.beat());
        // A change while it is waited for.
        let wait = async { tokio::join!(at(&mut voice), async { pace.send_replace(Pace::Calm) }).0 };
        assert_eq!(wait.await, changed + 2 * Pace::Alert.beat());
        assert_eq!(at(&mut voice).await, changed + 2 * Pace::Alert.beat() + Pace::Calm.beat());
    }
}
