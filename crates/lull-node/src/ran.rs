//! What ran here: the log that belongs to this machine's owner. It holds counts and times; no content, and nobody's name.

use std::{path::Path, time::Duration};

use lull_store::rusqlite::{self, Connection, Row, params};
use lull_types::{Code, Fault, RanHere};
use tokio::sync::{mpsc, oneshot};

use crate::{Home, fault::stopping, kept};

/// The most jobs that are kept; the oldest go first.
pub const RAN_MAX: u32 = 100_000;
/// The most jobs of one answer at the door, which has a bound in bytes.
pub const RAN_REPLY_MAX: u32 = 5_000;
/// Jobs and questions that may wait for the disk; a job beyond that is left out of the log.
const QUEUE_MAX: usize = 1_024;
/// Jobs and questions that are taken up at once.
const BATCH_MAX: usize = 256;
/// The longest name that is kept, in characters.
const NAME_CHARS_MAX: usize = 64;

/// Published steps never change; new ones are added at the end.
const MIGRATIONS: &[&str] = &["
CREATE TABLE ran (
    id INTEGER PRIMARY KEY,
    ended_unix_ms INTEGER NOT NULL,
    model TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    ran_ms INTEGER NOT NULL,
    energy_wh REAL NOT NULL,
    outcome TEXT NOT NULL
) STRICT;
"];

/// The energy of a job, in watt-hours, as [`RanHere::ENERGY_FORMULA`] says: an estimate.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "an estimate has no more digits")]
pub(crate) fn energy_wh(processor_time: Duration, watts_per_thread: f64) -> f32 {
    (processor_time.as_secs_f64() * watts_per_thread / 3600.0) as f32
}

/// The log of one home. Its database has a thread of its own; the log closes with its last handle.
#[derive(Debug, Clone)]
pub struct RanLog {
    queue: mpsc::Sender<Ask>,
}

#[derive(Debug)]
enum Ask {
    Append(RanHere),
    Newest { limit: u32, before: Option<u64>, reply: oneshot::Sender<Result<Vec<RanHere>, Fault>> },
    Erase { reply: oneshot::Sender<Result<(), Fault>> },
    Flush { reply: oneshot::Sender<()> },
}

impl RanLog {
    /// Opens a home's log, which is made if it is missing. A node that runs there may have it open, too.
    ///
    /// # Errors
    /// [`Code::Storage`] when it cannot be read or made.
    pub fn open(home: &Path) -> Result<Self, Fault> {
        Self::keeping(&Home::open(home)?, RAN_MAX)
    }

    fn keeping(home: &Home, most: u32) -> Result<Self, Fault> {
        let path = home.path().join("ran.db");
        let db = database(&path)?;
        let (queue, asked) = mpsc::channel(QUEUE_MAX);
        let thread = std::thread::Builder::new().name("lull-ran".into()).spawn(move || work(db, asked, most));
        thread
            .map_err(|error| Fault::new(Code::Internal, format!("the log of what ran here has no thread: {error}")))?;
        Ok(Self { queue })
    }

    /// Writes a job down, soon. Never waits; its id is given by the log, whatever it says.
    pub fn append(&self, job: RanHere) {
        if self.queue.try_send(Ask::Append(job)).is_err() {
            tracing::warn!("the disk is too slow for the log of what ran here: one job is not in it");
        }
    }

    /// The newest jobs, newest first, at most [`RAN_MAX`]. Those appended before are among them.
    ///
    /// # Errors
    /// [`Code::Storage`]; [`Code::Cancelled`] when the log is closing.
    pub async fn newest(&self, limit: u32) -> Result<Vec<RanHere>, Fault> {
        self.before(limit, None).await
    }

    /// The same of those whose id is below this one.
    ///
    /// # Errors
    /// As [`RanLog::newest`].
    pub async fn before(&self, limit: u32, before: Option<u64>) -> Result<Vec<RanHere>, Fault> {
        self.ask(|reply| Ask::Newest { limit, before, reply }).await?
    }

    /// Forgets everything, so that the files no longer hold it. (What a disk keeps of its freed blocks is its own.)
    ///
    /// # Errors
    /// [`Code::Storage`]; [`Code::Cancelled`] when the log is closing.
    pub async fn erase(&self) -> Result<(), Fault> {
        self.ask(|reply| Ask::Erase { reply }).await?
    }

    /// Resolves when everything appended before is on the disk: for the end of a node.
    pub async fn flush(&self) {
        // A log whose thread is gone holds nothing back.
        let _ = self.ask(|reply| Ask::Flush { reply }).await;
    }

    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Result<T, Fault> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(ask(reply)).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())
    }
}

/// What it is, in faults.
const WHAT: &str = "the log of what ran here";

fn database(path: &Path) -> Result<Connection, Fault> {
    kept::open(path, MIGRATIONS, WHAT)
}

fn work(mut db: Connection, mut asked: mpsc::Receiver<Ask>, most: u32) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while let Some(first) = asked.blocking_recv() {
        batch.push(first);
        while batch.len() < BATCH_MAX
            && let Ok(next) = asked.try_recv()
        {
            batch.push(next);
        }
        let mut jobs = Vec::new();
        for ask in batch.drain(..) {
            if let Ask::Append(job) = ask {
                jobs.push(job);
                continue;
            }
            append(&mut db, &mut jobs, most);
            answer(&db, ask);
        }
        append(&mut db, &mut jobs, most);
    }
}

/// Nobody may be waiting for an answer any more.
fn answer(db: &Connection, ask: Ask) {
    match ask {
        Ask::Append(_) => {}
        Ask::Newest { limit, before, reply } => {
            let _ = reply.send(newest(db, limit, before).map_err(|error| kept::failed(WHAT, &error)));
        }
        Ask::Erase { reply } => {
            let _ = reply.send(kept::erase(db, "ran", WHAT));
        }
        Ask::Flush { reply } => {
            let _ = reply.send(());
        }
    }
}

/// Brings jobs to the disk with one commit.
fn append(db: &mut Connection, jobs: &mut Vec<RanHere>, most: u32) {
    if jobs.is_empty() {
        return;
    }
    let written = write(db, jobs, most);
    if let Err(error) = written {
        tracing::error!(%error, jobs = jobs.len(), "the log of what ran here cannot be written");
    }
    jobs.clear();
}

fn write(db: &mut Connection, jobs: &[RanHere], most: u32) -> rusqlite::Result<()> {
    let transaction = db.transaction()?;
    {
        let mut insert = transaction.prepare_cached(
            "INSERT INTO ran (ended_unix_ms, model, prompt_tokens, completion_tokens, ran_ms, energy_wh, outcome) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        let name = |text: &str| text.chars().take(NAME_CHARS_MAX).collect::<String>();
        let time = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        for job in jobs {
            // What is no number would count as missing.
            let energy_wh = if job.energy_wh.is_finite() { job.energy_wh } else { 0.0 };
            insert.execute(params![
                time(job.ended_unix_ms),
                name(&job.model),
                job.prompt_tokens,
                job.completion_tokens,
                time(job.ran_ms),
                energy_wh,
                name(&job.outcome),
            ])?;
        }
    }
    transaction.prepare_cached("DELETE FROM ran WHERE id <= (SELECT max(id) FROM ran) - ?1")?.execute([most])?;
    transaction.commit()
}

fn newest(db: &Connection, limit: u32, before: Option<u64>) -> rusqlite::Result<Vec<RanHere>> {
    let mut select = db.prepare_cached(
        "SELECT id, ended_unix_ms, model, prompt_tokens, completion_tokens, ran_ms, energy_wh, outcome \
         FROM ran WHERE id < ?2 ORDER BY id DESC LIMIT ?1",
    )?;
    let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
    select.query_map(params![limit.min(RAN_MAX), before], job)?.collect()
}

fn job(row: &Row<'_>) -> rusqlite::Result<RanHere> {
    Ok(RanHere {
        id: row.get(0)?,
        ended_unix_ms: row.get(1)?,
        model: row.get(2)?,
        prompt_tokens: row.get(3)?,
        completion_tokens: row.get(4)?,
        ran_ms: row.get(5)?,
        energy_wh: row.get(6)?,
        outcome: row.get(7)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "a-model-nobody-else-has";

    fn ran(model: &str, at: u64) -> RanHere {
        RanHere {
            id: 0,
            ended_unix_ms: at,
            model: model.into(),
            prompt_tokens: 7,
            completion_tokens: u32::MAX,
            ran_ms: 1_500,
            energy_wh: 0.25,
            outcome: "completed".into(),
        }
    }

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(&folder.path().join("home")).unwrap();
        (folder, home)
    }

    /// Whether any file of the home holds a text.
    fn traces(home: &Home) -> bool {
        std::fs::read_dir(home.path()).unwrap().any(|file| {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            bytes.windows(TRACE.len()).any(|window| window == TRACE.as_bytes())
        })
    }

    #[tokio::test]
    async fn the_newest_come_first_and_outlast_the_node() {
        let (_folder, home) = home();
        let log = RanLog::open(home.path()).unwrap();
        for at in 1..=5 {
            log.append(ran("m", at));
        }
        let jobs = log.newest(2).await.unwrap();
        assert_eq!(jobs, [RanHere { id: 5, ..ran("m", 5) }, RanHere { id: 4, ..ran("m", 4) }]);
        assert_eq!(log.before(2, Some(4)).await.unwrap(), [3, 2].map(|id| RanHere { id, ..ran("m", id) }));
        assert_eq!(log.before(9, Some(1)).await.unwrap(), []);
        assert_eq!(log.before(9, Some(u64::MAX)).await.unwrap().len(), 5);
        drop(log);
        let log = RanLog::open(home.path()).unwrap();
        assert_eq!(log.newest(u32::MAX).await.unwrap().len(), 5);
    }

    #[tokio::test]
    async fn what_is_erased_is_gone_from_the_files() {
        let (_folder, home) = home();
        let log = RanLog::open(home.path()).unwrap();
        for at in 0..500 {
            log.append(ran(TRACE, at));
        }
        log.flush().await;
        assert!(traces(&home), "the test can see what is there");
        log.erase().await.unwrap();
        assert!(!traces(&home));
        assert_eq!(log.newest(9).await.unwrap(), []);
        log.append(ran("m", 1));
        assert_eq!(log.newest(9).await.unwrap().len(), 1, "the log goes on");
        assert!(!traces(&home));
    }

    #[tokio::test]
    async fn an_erasure_that_leaves_traces_says_so() {
        let (_folder, home) = home();
        let log = RanLog::open(home.path()).unwrap();
        log.append(ran(TRACE, 1));
        log.flush().await;
        let other = database(&home.path().join("ran.db")).unwrap();
        other.execute_batch("BEGIN; SELECT * FROM ran;").unwrap();
        let mut select = other.prepare("SELECT model FROM ran").unwrap();
        let mut rows = select.query([]).unwrap();
        rows.next().unwrap();
        let fault = log.erase().await.unwrap_err();
        assert_eq!(fault.code, Code::Busy, "{fault}");
        drop(rows);
        drop(select);
        drop(other);
        log.erase().await.unwrap();
        assert!(!traces(&home));
    }

    #[tokio::test]
    async fn the_oldest_go() {
        let (_folder, home) = home();
        let log = RanLog::keeping(&home, 10).unwrap();
        log.append(ran(TRACE, 0));
        for at in 1..=25 {
            log.append(ran("m", at));
            log.flush().await;
        }
        let kept: Vec<u64> = log.newest(u32::MAX).await.unwrap().iter().map(|job| job.ended_unix_ms).collect();
        assert_eq!(kept, (16..=25).rev().collect::<Vec<_>>());
    }

    #[test]
    fn the_oldest_leave_no_trace() {
        let (_folder, home) = home();
        let (queue, asked) = mpsc::channel(QUEUE_MAX);
        let log = RanLog { queue };
        (0..10).for_each(|at| log.append(ran(TRACE, at)));
        (0..10).for_each(|at| log.append(ran("m", at)));
        drop(log);
        work(database(&home.path().join("ran.db")).unwrap(), asked, 10);
        assert!(!traces(&home));
    }

    #[test]
    fn a_job_never_waits_for_the_disk() {
        let (_folder, home) = home();
        let (queue, asked) = mpsc::channel(QUEUE_MAX);
        let log = RanLog { queue };
        // Nobody takes anything up.
        for at in 0..2 * QUEUE_MAX as u64 {
            log.append(ran("m", at));
        }
        let db = database(&home.path().join("ran.db")).unwrap();
        drop(log);
        work(db, asked, RAN_MAX);
        let db = database(&home.path().join("ran.db")).unwrap();
        assert_eq!(newest(&db, u32::MAX, None).unwrap().len(), QUEUE_MAX);
    }

    #[tokio::test]
    async fn odd_values_do_not_lose_a_job() {
        let (_folder, home) = home();
        let log = RanLog::open(home.path()).unwrap();
        let odd = RanHere {
            ended_unix_ms: u64::MAX,
            ran_ms: u64::MAX,
            energy_wh: f32::NAN,
            model: "ä".repeat(NAME_CHARS_MAX + 1),
            ..ran("", 0)
        };
        log.append(odd);
        let jobs = log.newest(1).await.unwrap();
        assert_eq!((jobs[0].energy_wh, jobs[0].model.chars().count()), (0.0, NAME_CHARS_MAX));
    }

    #[tokio::test]
    async fn a_broken_log_is_set_aside_and_begins_anew() {
        let (_folder, home) = home();
        let path = home.path().join("ran.db");
        let broken = "no database at all, and long enough to be seen".repeat(99);
        std::fs::write(&path, &broken).unwrap();
        let log = RanLog::open(home.path()).unwrap();
        log.append(ran("m", 1));
        assert_eq!(log.newest(9).await.unwrap().len(), 1);
        assert_eq!(std::fs::read_to_string(path.with_extension("damaged")).unwrap(), broken, "nothing is thrown away");
    }

    #[test]
    fn a_log_that_cannot_be_had_is_a_fault() {
        let (_folder, home) = home();
        std::fs::create_dir(home.path().join("ran.db")).unwrap();
        let fault = RanLog::open(home.path()).unwrap_err();
        assert_eq!(fault.code, Code::Storage);
        assert!(fault.message.contains("ran.db"), "{fault}");
    }

    #[test]
    fn an_answer_fits_through_the_door() {
        let name = "\u{10ffff}".repeat(NAME_CHARS_MAX);
        let widest = RanHere { id: u64::MAX, model: name.clone(), outcome: name, ..ran("", u64::MAX) };
        // JSON is never shorter than what goes through the door.
        let bytes = serde_json::to_vec(&widest).unwrap().len() * RAN_REPLY_MAX as usize;
        assert!(bytes < lull_door::REPLY_BYTES_MAX, "{bytes} bytes");
    }

    #[test]
    fn energy_is_what_the_formula_says() {
        assert_eq!(energy_wh(Duration::from_secs(7_200), 6.0), 12.0);
    }
}
