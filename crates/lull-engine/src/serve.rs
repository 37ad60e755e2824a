//! A worker's main loop, the same for every engine: frames in, one answer at a time, frames out.

use std::{
    io::{self, Read, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
};

use lull_types::{Code, Fault};
use lull_wire::frame;

use crate::{
    Answer, Confine, Confined, Ending, Engine, Load, Next, Steps, guard,
    protocol::{
        self, CONFINE_BYTES_MAX, FROM_WORKER_BYTES_MAX, FromWorker, Job, REASON_BYTES_MAX, TO_WORKER_BYTES_MAX,
        ToWorker, VERSION,
    },
};

/// Serves one model until the node closes the pipe or says so; then the process exits.
///
/// The process confines itself by `confine` before it reads the first byte of a model, and still has one thread then.
/// `load` may panic: that is a broken model. A panic later ends the process.
pub fn serve<R, W>(
    mut reader: R,
    writer: W,
    build: &str,
    confine: impl FnOnce(&Confine) -> io::Result<Box<dyn Confined>>,
    load: impl FnOnce(&Load) -> Result<Box<dyn Engine>, Fault>,
) -> !
where
    R: Read + Send + 'static,
    W: Write + Send + 'static,
{
    let out = Arc::new(Out { writer: Mutex::new(Box::new(writer)), cancelled: AtomicU64::new(0) });
    let mut confined = begin(&mut reader, confine);
    let (layers, shortfalls) = (confined.layers(), confined.shortfalls());
    out.send(&FromWorker::Hello { version: VERSION, build: build.into(), layers, shortfalls });
    let frames = listen(reader, Arc::clone(&out));
    let Ok(ToWorker::Load(mut wanted)) = frames.recv() else { guard::exit(guard::EXIT_PROTOCOL, LOAD_FIRST) };
    confined.model().clone_into(&mut wanted.model);
    let mut engine = match guard::catching(|| load(&wanted)) {
        Ok(engine) => engine,
        Err(fault) => {
            out.send(&failed(0, fault));
            guard::exit(guard::EXIT_LOAD, "the model could not be loaded")
        }
    };
    if let Err(error) = confined.seal() {
        guard::exit(guard::EXIT_SANDBOX, &format!("the sandbox could not be closed after loading: {error}"));
    }
    let info = engine.info();
    let context = info.context.min(wanted.context_max);
    let vocabulary = engine.vocabulary();
    out.send(&FromWorker::Loaded {
        engine: info,
        context,
        vocabulary: vocabulary.len() as u32,
        ends: vocabulary.ends().to_vec(),
        layers: confined.layers(),
    });
    drop(vocabulary);
    loop {
        match frames.recv() {
            Ok(ToWorker::Generate(job)) => answer(engine.as_mut(), context, *job, &out),
            _ => guard::exit(guard::EXIT_PROTOCOL, LOAD_FIRST),
        }
    }
}

/// What a node does wrong that asks in another order.
const LOAD_FIRST: &str = "the node must say once what to load, before it asks for answers";
const CONFINE_FIRST: &str = "the node must say first how its worker is to be confined";

/// Puts up the sandbox as the node wants it.
fn begin(reader: &mut impl Read, confine: impl FnOnce(&Confine) -> io::Result<Box<dyn Confined>>) -> Box<dyn Confined> {
    let wanted = match protocol::read(reader, CONFINE_BYTES_MAX) {
        Ok(Some(ToWorker::Confine(wanted))) => wanted,
        Ok(None) => guard::exit(0, "the node has gone"),
        Ok(Some(ToWorker::Exit)) => guard::exit(0, "the node said to exit"),
        _ => guard::exit(guard::EXIT_PROTOCOL, CONFINE_FIRST),
    };
    match confine(&wanted) {
        Ok(confined) => confined,
        Err(error) => guard::exit(guard::EXIT_SANDBOX, &format!("the sandbox could not be put up: {error}")),
    }
}

/// Makes one answer and reports how it ended.
fn answer(engine: &mut dyn Engine, context: u32, job: Job, out: &Arc<Out>) {
    let number = job.job;
    let report = match generate(engine, context, job, out) {
        Ok(Outcome::Done(Ending { finish, usage, tail })) => FromWorker::Done { job: number, finish, usage, tail },
        Ok(Outcome::Cancelled) => FromWorker::Cancelled { job: number },
        Err(fault) => failed(number, fault),
    };
    out.send(&report);
}

fn generate(engine: &mut dyn Engine, context: u32, job: Job, out: &Arc<Out>) -> Result<Outcome, Fault> {
    let mut ids = engine.tokenize(&job.messages)?;
    let (answer, ended) = Answer::begin(engine.vocabulary(), context, &ids, &job.prefix, &job.sampling)?;
    out.send(&FromWorker::Accepted { job: job.job, prompt_tokens: ids.len() as u32 });
    if let Some(ending) = ended {
        out.send(&FromWorker::Prefilled { job: job.job });
        return Ok(Outcome::Done(ending));
    }
    if out.is_cancelled(job.job) {
        return Ok(Outcome::Cancelled);
    }
    ids.extend_from_slice(&job.prefix);
    let outcome = Arc::new(Mutex::new(None));
    let steps = Answering { answer, job: job.job, first: true, out: Arc::clone(out), outcome: Arc::clone(&outcome) };
    let ran = engine.run(ids, Box::new(steps));
    let outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (outcome, ran) {
        (Some(outcome), _) => outcome,
        (None, Err(fault)) => Err(fault),
        (None, Ok(())) => Err(Fault::new(Code::Internal, "the engine stopped in the middle of an answer; ask again")),
    }
}

#[derive(Debug)]
enum Outcome {
    Done(Ending),
    Cancelled,
}

/// Chooses and sends tokens while the engine runs.
struct Answering {
    answer: Answer,
    job: u64,
    first: bool,
    out: Arc<Out>,
    outcome: Arc<Mutex<Option<Result<Outcome, Fault>>>>,
}

impl Answering {
    fn finish(&self, outcome: Result<Outcome, Fault>) -> Next {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        Next::Stop
    }
}

impl Steps for Answering {
    fn is_wanted(&mut self) -> bool {
        let cancelled = self.out.is_cancelled(self.job);
        if cancelled {
            self.finish(Ok(Outcome::Cancelled));
        }
        !cancelled
    }

    fn next(&mut self, logits: &[f32]) -> Next {
        if self.out.is_cancelled(self.job) {
            return self.finish(Ok(Outcome::Cancelled));
        }
        if std::mem::take(&mut self.first) {
            self.out.send(&FromWorker::Prefilled { job: self.job });
        }
        let stepped = match self.answer.step(logits) {
            Ok(stepped) => stepped,
            Err(fault) => return self.finish(Err(fault)),
        };
        let id = stepped.token.as_ref().map(|token| token.id);
        if let Some(token) = stepped.token {
            self.out.send(&FromWorker::Token { job: self.job, token });
        }
        match (stepped.ending, id) {
            (Some(ending), _) => self.finish(Ok(Outcome::Done(ending))),
            (None, Some(id)) => Next::Token(id),
            (None, None) => self.finish(Err(Fault::new(Code::Internal, "a step gave neither a token nor an end"))),
        }
    }
}

fn failed(job: u64, mut fault: Fault) -> FromWorker {
    let end = fault.message.floor_char_boundary(REASON_BYTES_MAX);
    fault.message.truncate(end);
    FromWorker::Failed { job, fault }
}

/// The way back to the node, and what it no longer wants.
struct Out {
    writer: Mutex<Box<dyn Write + Send>>,
    /// Every answer up to this number is to stop.
    cancelled: AtomicU64,
}

impl Out {
    /// Sends one frame. Nobody can be told when that fails, so the process ends.
    fn send(&self, message: &FromWorker) {
        let bytes = match frame::encode(message, FROM_WORKER_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) => guard::exit(guard::EXIT_PROTOCOL, &format!("a frame could not be written: {error}")),
        };
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.write_all(&bytes).and_then(|()| writer.flush()).is_err() {
            guard::exit(0, "the node has gone");
        }
    }

    fn is_cancelled(&self, job: u64) -> bool {
        self.cancelled.load(Ordering::Acquire) >= job
    }
}

/// Reads frames on a thread of its own, so that a word to stop, or the node's end, is heard in the middle of an answer.
fn listen<R: Read + Send + 'static>(mut reader: R, out: Arc<Out>) -> Receiver<ToWorker> {
    // A model and a job may wait, or the next job, sent as soon as the last answer's end was read.
    let (sender, receiver) = sync_channel(2);
    let listening = std::thread::Builder::new().spawn(move || {
        let mut last_job = None;
        loop {
            match protocol::read(&mut reader, TO_WORKER_BYTES_MAX) {
                Ok(None) => guard::exit(0, "the node has gone"),
                Ok(Some(ToWorker::Exit)) => guard::exit(0, "the node said to exit"),
                Ok(Some(ToWorker::Cancel { job })) if last_job.is_some_and(|last| job <= last) => {
                    out.cancelled.fetch_max(job, Ordering::AcqRel);
                }
                Ok(Some(ToWorker::Cancel { .. })) => {
                    guard::exit(guard::EXIT_PROTOCOL, "the node stopped an answer that it never asked for")
                }
                Ok(Some(message)) => pass_on(message, &mut last_job, &sender),
                Err(error) => guard::exit(guard::EXIT_PROTOCOL, &format!("the node sent a bad frame: {error}")),
            }
        }
    });
    if let Err(error) = listening {
        guard::exit(guard::EXIT_LOAD, &format!("no thread could be started: {error}"));
    }
    receiver
}

/// Checks the order of frames here, where they come in; `last_job` is `None` until a model is named.
fn pass_on(message: ToWorker, last_job: &mut Option<u64>, sender: &SyncSender<ToWorker>) {
    *last_job = match (&message, *last_job) {
        (ToWorker::Load(_), None) => Some(0),
        (ToWorker::Generate(job), Some(last)) if job.job > last => Some(job.job),
        (ToWorker::Generate(_), Some(_)) => {
            guard::exit(guard::EXIT_PROTOCOL, "the node's answers must be numbered upwards")
        }
        _ => guard::exit(guard::EXIT_PROTOCOL, LOAD_FIRST),
    };
    if sender.try_send(message).is_err() {
        guard::exit(guard::EXIT_PROTOCOL, "the node asked for a second answer before the first had ended");
    }
}
