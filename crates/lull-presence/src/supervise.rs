//! Runs sensors, each as a task of its own, and starts again what ends: while a sensor is down its sources are unknown.

use std::{convert::Infallible, future::Future, pin::Pin, sync::Arc, thread::JoinHandle, time::Duration};

use lull_types::{Reading, Source};
use tokio::{
    sync::{oneshot, watch},
    task::LocalSet,
    time::{Instant, sleep_until},
};

use crate::{Config, Pace, Sink, voice::Voice};

/// How long a sensor that ended stays down; it doubles up to [`DOWN_MAX`].
const DOWN_FIRST: Duration = Duration::from_secs(1);
/// The longest that a sensor stays down before it is tried again.
const DOWN_MAX: Duration = Duration::from_secs(30);
/// A sensor that ran for so long was well.
const WELL: Duration = Duration::from_secs(60);
/// Threads of one line for calls that may block, such as reading a file: those that hang are not replaced without end.
const BLOCKING_MAX: usize = 8;

/// Runs until it cannot see any more, and says why.
pub(crate) type Sensing = Pin<Box<dyn Future<Output = Result<Infallible, String>>>>;

/// Which thread a sensor's task runs on: a slow file or bus must not hold up the owner's keyboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// Input: nothing on it may ever block.
    Input,
    /// Everything else.
    Rest,
}

/// One way of knowing.
pub(crate) struct Sensor {
    pub(crate) line: Line,
    /// Whom it speaks for.
    pub(crate) sources: &'static [Source],
    pub(crate) run: Box<dyn Fn(Voice) -> Sensing + Send>,
}

impl Sensor {
    pub(crate) fn new<F>(line: Line, sources: &'static [Source], run: impl Fn(Voice) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<Infallible, String>> + 'static,
    {
        Self { line, sources, run: Box::new(move |voice| Box::pin(run(voice))) }
    }
}

/// A thread with its sensors. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Thread {
    stop: Option<oneshot::Sender<()>>,
    _thread: JoinHandle<()>,
}

impl Drop for Thread {
    fn drop(&mut self) {
        // Not joined: a sensor that hangs must not hang whoever lets go of it.
        drop(self.stop.take());
    }
}

/// Starts all sensors on their threads.
pub(crate) fn start(
    plan: Vec<Sensor>,
    config: &Config,
    sink: &Sink,
    pace: &watch::Receiver<Pace>,
) -> std::io::Result<Vec<Thread>> {
    let voice = Voice::new(Arc::new(config.clone()), sink.clone(), pace.clone());
    let (input, rest): (Vec<_>, Vec<_>) = plan.into_iter().partition(|sensor| sensor.line == Line::Input);
    [("lull-input", input), ("lull-senses", rest)]
        .into_iter()
        .filter(|(_, sensors)| !sensors.is_empty())
        .map(|(name, sensors)| thread(name, sensors, voice.clone()))
        .collect()
}

fn thread(name: &str, sensors: Vec<Sensor>, voice: Voice) -> std::io::Result<Thread> {
    let (stop, stopped) = oneshot::channel();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(BLOCKING_MAX).build()?;
    let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
        if let Some(prepare) = &voice.config.on_thread {
            prepare();
        }
        let tasks = LocalSet::new();
        for sensor in sensors {
            tasks.spawn_local(keep(sensor, voice.clone()));
        }
        // The sender's end is the sign.
        drop(tasks.block_on(&runtime, stopped));
        // What sensors hold may have something to spawn when it ends, such as taking leave of a bus.
        let inside = runtime.enter();
        drop(tasks);
        drop(inside);
        runtime.shutdown_background();
    })?;
    Ok(Thread { stop: Some(stop), _thread: thread })
}

/// Runs one sensor for ever.
async fn keep(sensor: Sensor, mut voice: Voice) {
    let mut down = DOWN_FIRST;
    loop {
        let began = Instant::now();
        let ended = tokio::task::spawn_local((sensor.run)(voice.clone())).await;
        let why = match ended {
            Ok(Err(why)) => why,
            Ok(Ok(never)) => match never {},
            Err(_) => "the sensor failed".to_owned(),
        };
        tracing::debug!(sources = ?sensor.sources, why, "a sensor ended");
        if began.elapsed() >= WELL {
            down = DOWN_FIRST;
        }
        let again = Instant::now() + down;
        down = (down * 2).min(DOWN_MAX);
        while Instant::now() < again {
            sensor.sources.iter().for_each(|source| voice.say(*source, Reading::unknown(why.clone())));
            tokio::select! {
                () = sleep_until(again) => {}
                () = voice.beat() => {}
            }
        }
    }
}
