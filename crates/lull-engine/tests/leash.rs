//! A worker that is held: its clock stops while it is frozen, and its end is the keeper's doing.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use common::{Answered, asked, collect, greedy, scripted_program, spec};
use lull_engine::{
    Adopted, Keeper, Leash, Limits, Step, Worker, WorkerSpec,
    scripted::{Mishap, Script, What, When},
};
use lull_types::{Code, Fault};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

/// Every limit of the workers here.
const LIMIT: Duration = Duration::from_millis(600);
/// Longer than every limit.
const FROZEN: Duration = Duration::from_millis(1500);
/// A guard against hanging, not a promise.
const GUARD: Duration = Duration::from_secs(30);

/// Holds workers with signals and writes down what it is told.
struct Pen {
    frozen: watch::Sender<bool>,
    refuses: bool,
    log: Arc<Mutex<Vec<(&'static str, u32)>>>,
}

struct Penned {
    pid: u32,
    log: Arc<Mutex<Vec<(&'static str, u32)>>>,
}

fn signal(pid: u32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal);
}

impl Keeper for Pen {
    fn adopt(&self, pid: u32) -> Result<Box<dyn Adopted>, Fault> {
        self.log.lock().unwrap().push(("adopted", pid));
        if self.refuses {
            return Err(Fault::new(Code::Internal, "the pen is full"));
        }
        if *self.frozen.borrow() {
            signal(pid, Signal::STOP);
        }
        Ok(Box::new(Penned { pid, log: Arc::clone(&self.log) }))
    }
}

impl Adopted for Penned {
    fn end(&self) {
        signal(self.pid, Signal::KILL);
        self.log.lock().unwrap().push(("ended", self.pid));
    }
}

impl Drop for Penned {
    fn drop(&mut self) {
        let reaped = !Path::new(&format!("/proc/{}", self.pid)).exists();
        let how = if cfg!(target_os = "linux") && reaped { "let go too late" } else { "let go" };
        self.log.lock().unwrap().push((how, self.pid));
    }
}

impl Pen {
    fn new() -> Arc<Self> {
        Arc::new(Self { frozen: watch::channel(false).0, refuses: false, log: Arc::default() })
    }

    fn all(&self, what: Signal) {
        let adopted = self.log.lock().unwrap().iter().find(|(what, _)| *what == "adopted").copied();
        if let Some((_, pid)) = adopted {
            signal(pid, what);
        }
    }

    /// Freezes first and tells afterwards, as a node does.
    fn freeze(&self) {
        self.all(Signal::STOP);
        self.frozen.send_replace(true);
    }

    fn thaw(&self) {
        self.frozen.send_replace(false);
        self.all(Signal::CONT);
    }

    async fn freeze_for_long(&self) {
        self.freeze();
        sleep(FROZEN).await;
        self.thaw();
    }

    fn said(&self) -> Vec<&'static str> {
        self.log.lock().unwrap().iter().map(|(what, _)| *what).collect()
    }

    async fn until_said(&self, what: &str) {
        timeout(GUARD, async {
            while !self.said().contains(&what) {
                sleep(Duration::from_millis(1)).await
            }
        })
        .await
        .expect(what);
    }

    fn spec(self: &Arc<Self>, folder: &TempDir, script: &Script) -> WorkerSpec {
        script.write(folder.path()).unwrap();
        let limits = Limits {
            hello: LIMIT,
            load: LIMIT,
            load_per_mib: Duration::ZERO,
            tokenize: LIMIT,
            prefill: LIMIT,
            prefill_per_token: Duration::ZERO,
            token: LIMIT,
            stop: LIMIT,
        };
        let keeper: Arc<dyn Keeper> = Arc::<Self>::clone(self);
        let leash = Some(Leash { keeper, frozen: self.frozen.subscribe() });
        WorkerSpec { limits, leash, ..spec(scripted_program(), folder.path(), folder.path()) }
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Each thing takes a while, but none takes as long as its limit.
fn slow() -> Script {
    Script { load_us: 100_000, prefill_us: 8_000, pace_us: 5_000, length: 30, ..Script::default() }
}

async fn undisturbed() -> Answered {
    let folder = folder();
    let worker = Worker::spawn(Pen::new().spec(&folder, &slow())).await.unwrap();
    collect(worker.generate(asked("a question", greedy(50), &[])).await).await.unwrap()
}

#[tokio::test]
async fn frozen_while_it_starts_and_loads_it_still_comes_up() {
    for after in [Duration::ZERO, Duration::from_millis(60)] {
        let (folder, pen) = (folder(), Pen::new());
        if after.is_zero() {
            pen.freeze();
        }
        let spec = pen.spec(&folder, &slow());
        let freezing = async {
            pen.until_said("adopted").await;
            sleep(after).await;
            pen.freeze_for_long().await;
        };
        let ((), worker) = tokio::join!(freezing, Worker::spawn(spec));
        worker.unwrap().shutdown().await;
        assert_eq!(pen.said(), ["adopted", "ended", "let go"]);
    }
}

#[tokio::test]
async fn frozen_in_its_prefill_it_gives_the_same_answer_and_counts_only_its_own_time() {
    let (folder, pen) = (folder(), Pen::new());
    let worker = Worker::spawn(pen.spec(&folder, &slow())).await.unwrap();
    let mut generation = worker.generate(asked("a question", greedy(50), &[])).await;
    sleep(Duration::from_millis(20)).await;
    pen.freeze_for_long().await;
    let Some(Ok(Step::Prefilled { took, .. })) = generation.next().await else { panic!("no prefill") };
    assert!(took < FROZEN, "{took:?}");
    assert_eq!(collect(generation).await.unwrap(), undisturbed().await);
    // What it has learnt of its speed meanwhile does not make it hang now.
    collect(worker.generate(asked("another", greedy(50), &[])).await).await.unwrap();
}

#[tokio::test]
async fn frozen_between_tokens_it_goes_on_as_if_nothing_had_been() {
    let (folder, pen) = (folder(), Pen::new());
    let worker = Worker::spawn(pen.spec(&folder, &slow())).await.unwrap();
    let mut generation = worker.generate(asked("a question", greedy(50), &[])).await;
    let mut ids = Vec::new();
    while let Some(step) = generation.next().await {
        if let Step::Token(token) = step.unwrap() {
            ids.push(token.id);
            if ids.len() == 3 {
                pen.freeze_for_long().await;
            }
        }
    }
    assert_eq!(ids, undisturbed().await.ids());
}

#[tokio::test]
async fn told_to_stop_while_frozen_it_stops_once_it_can() {
    let (folder, pen) = (folder(), Pen::new());
    let script = Script { length: 4000, ..slow() };
    let worker = Worker::spawn(pen.spec(&folder, &script)).await.unwrap();
    let mut generation = worker.generate(asked("a question", greedy(4000), &[])).await;
    while !matches!(generation.next().await, Some(Ok(Step::Token(_)))) {}
    pen.freeze();
    drop(generation);
    let second = worker.generate(asked("another", greedy(1), &[])).await;
    sleep(FROZEN).await;
    pen.thaw();
    assert_eq!(collect(second).await.unwrap().ids().len(), 1);
}

#[tokio::test]
async fn what_hangs_after_a_thaw_is_noticed() {
    let (folder, pen) = (folder(), Pen::new());
    let script = Script { mishap: Some(Mishap { at: When::Token(2), what: What::Hang }), ..slow() };
    let worker = Worker::spawn(pen.spec(&folder, &script)).await.unwrap();
    let mut generation = worker.generate(asked("a question", greedy(50), &[])).await;
    while !matches!(generation.next().await, Some(Ok(Step::Token(_)))) {}
    pen.freeze_for_long().await;
    let fault = timeout(GUARD, worker.died()).await.unwrap();
    assert_eq!(fault.code, Code::WorkerHung, "{fault}");
    assert_eq!(pen.said(), ["adopted", "ended", "let go"]);
}

#[tokio::test]
async fn killed_while_frozen_it_is_gone() {
    let (folder, pen) = (folder(), Pen::new());
    let script = Script { length: 4000, ..slow() };
    let mut worker = Worker::spawn(pen.spec(&folder, &script)).await.unwrap();
    let mut generation = worker.generate(asked("a question", greedy(4000), &[])).await;
    while !matches!(generation.next().await, Some(Ok(Step::Token(_)))) {}
    pen.freeze();
    worker.kill();
    let fault = timeout(GUARD, collect(generation)).await.unwrap().unwrap_err();
    assert_eq!((fault.code, worker.died().await.code), (Code::WorkerDied, Code::WorkerDied));
    assert_eq!(pen.said(), ["adopted", "ended", "let go"]);
}

#[tokio::test]
async fn shut_down_while_frozen_it_is_not_waited_for() {
    let (folder, pen) = (folder(), Pen::new());
    let worker = Worker::spawn(pen.spec(&folder, &slow())).await.unwrap();
    pen.freeze();
    timeout(Duration::from_secs(4), worker.shutdown()).await.expect("less than a worker's time to say goodbye");
    assert_eq!(pen.said(), ["adopted", "ended", "let go"]);
}

#[tokio::test]
async fn whoever_gives_up_while_it_loads_leaves_nothing_behind() {
    let (folder, pen) = (folder(), Pen::new());
    let script = Script { mishap: Some(Mishap { at: When::Load, what: What::Hang }), ..slow() };
    let limits = Limits { load: GUARD, ..pen.spec(&folder, &script).limits };
    let spec = WorkerSpec { limits, ..pen.spec(&folder, &script) };
    assert!(timeout(Duration::from_millis(300), Worker::spawn(spec)).await.is_err());
    pen.until_said("ended").await;
}

#[tokio::test]
async fn what_cannot_be_held_does_not_run() {
    let folder = folder();
    let pen = Arc::new(Pen { refuses: true, ..Arc::into_inner(Pen::new()).unwrap() });
    let fault = Worker::spawn(pen.spec(&folder, &slow())).await.unwrap_err();
    assert_eq!((fault.code, fault.message.as_str()), (Code::Internal, "the pen is full"));
    let (_, pid) = pen.log.lock().unwrap()[0];
    timeout(GUARD, async {
        while Path::new(&format!("/proc/{pid}")).exists() {
            sleep(Duration::from_millis(1)).await
        }
    })
    .await
    .expect("the process is killed and reaped");
}

/// That its keeper ends it does not hide what it died of.
#[tokio::test]
async fn a_held_worker_that_dies_is_named_with_its_reason() {
    for (what, code, says) in [
        (What::Abort, Code::WorkerDied, "signal 6"),
        (What::Exit(9), Code::WorkerDied, "status 9"),
        (What::Panic, Code::WorkerDied, "scripted.rs"),
        (What::Memory, Code::WorkerMemory, "400 MiB"),
    ] {
        let (folder, pen) = (folder(), Pen::new());
        let script = Script { mishap: Some(Mishap { at: When::Token(2), what }), ..slow() };
        let spec = WorkerSpec { memory_max: Some(400 << 20), ..pen.spec(&folder, &script) };
        let worker = Worker::spawn(WorkerSpec { limits: Limits::default(), ..spec }).await.unwrap();
        let answer = worker.generate(asked("a question", greedy(50), &[])).await;
        let fault = collect(answer).await.unwrap_err();
        assert!(fault.code == code && fault.message.contains(says), "{fault}");
        assert_eq!(pen.said(), ["adopted", "ended", "let go"]);
    }
}
