//! What was asked from here, by day and model: the person's own tally. No content, no label, no time of day.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{ToSpan as _, civil::Date};
use lull_store::rusqlite::{self, Connection, Row, params};
use lull_types::{Fault, Usage, UsedDay};

use crate::{Home, fault::off_thread, kept};

/// For so many days it is kept.
pub(crate) const DAYS_MAX: i32 = 400;
/// So many models of one day have a line of their own; what is asked of more is counted together.
pub(crate) const MODELS_PER_DAY_MAX: u32 = 16;
/// What those are called.
const OTHERS: &str = "other models";
/// The longest name that is kept, in characters.
const NAME_CHARS_MAX: usize = 64;
/// What it is, in faults.
const WHAT: &str = "the tally of what was asked from here";

/// Published steps never change; new ones are added at the end.
const MIGRATIONS: &[&str] = &["
CREATE TABLE used (
    day TEXT NOT NULL,
    model TEXT NOT NULL,
    answered INTEGER NOT NULL,
    unanswered INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    PRIMARY KEY (day, model)
) STRICT, WITHOUT ROWID;
"];

/// What one question came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Used {
    /// Whether its answer came whole.
    pub(crate) answered: bool,
    pub(crate) usage: Usage,
}

/// The tally of one home.
#[derive(Debug, Clone)]
pub(crate) struct UsedTally {
    db: Arc<Mutex<Connection>>,
}

impl UsedTally {
    pub(crate) fn open(home: &Home) -> Result<Self, Fault> {
        let db = kept::open(&home.path().join("used.db"), MIGRATIONS, WHAT)?;
        Ok(Self { db: Arc::new(Mutex::new(db)) })
    }

    /// Counts a question that is over. A disk that refuses costs the count, never the answer.
    pub(crate) async fn count(&self, day: Date, model: String, used: Used) {
        if let Err(fault) = self.with(move |db| count(db, day, &model, used)).await {
            tracing::warn!(code = %fault.code, reason = fault.message, "a question was not counted");
        }
    }

    /// Newest day first, within it by name.
    pub(crate) async fn days(&self) -> Result<Vec<UsedDay>, Fault> {
        self.with(|db| days(db)).await
    }

    pub(crate) async fn erase(&self) -> Result<(), Fault> {
        let db = self.db.clone();
        off_thread(move || kept::erase(&db.lock().unwrap_or_else(PoisonError::into_inner), "used", WHAT)).await
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let db = self.db.clone();
        off_thread(move || {
            let mut db = db.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut db).map_err(|error| kept::failed(WHAT, &error))
        })
        .await
    }
}

fn count(db: &mut Connection, day: Date, model: &str, used: Used) -> rusqlite::Result<()> {
    let oldest = day.checked_sub((DAYS_MAX - 1).days()).unwrap_or(Date::MIN).to_string();
    let (day, model) = (day.to_string(), model.chars().take(NAME_CHARS_MAX).collect::<String>());
    let transaction = db.transaction()?;
    transaction.execute("DELETE FROM used WHERE day < ?1", [&oldest])?;
    let others: u32 = transaction.query_row(
        "SELECT count(*) FROM used WHERE day = ?1 AND model <> ?2 AND model <> ?3",
        params![day, model, OTHERS],
        |row| row.get(0),
    )?;
    let known = transaction.prepare("SELECT 1 FROM used WHERE day = ?1 AND model = ?2")?.exists([&day, &model])?;
    let model = if known || others < MODELS_PER_DAY_MAX { model.as_str() } else { OTHERS };
    transaction.execute(
        "INSERT INTO used (day, model, answered, unanswered, prompt_tokens, completion_tokens) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (day, model) DO UPDATE SET \
         answered = answered + excluded.answered, unanswered = unanswered + excluded.unanswered, \
         prompt_tokens = prompt_tokens + excluded.prompt_tokens, \
         completion_tokens = completion_tokens + excluded.completion_tokens",
        params![
            day,
            model,
            u32::from(used.answered),
            u32::from(!used.answered),
            used.usage.prompt_tokens,
            used.usage.completion_tokens,
        ],
    )?;
    transaction.commit()
}

fn days(db: &Connection) -> rusqlite::Result<Vec<UsedDay>> {
    let mut select = db.prepare_cached(
        "SELECT day, model, answered, unanswered, prompt_tokens, completion_tokens FROM used ORDER BY day DESC, model",
    )?;
    let day = |row: &Row<'_>| {
        Ok(UsedDay {
            day: row.get(0)?,
            model: row.get(1)?,
            answered: row.get(2)?,
            unanswered: row.get(3)?,
            prompt_tokens: row.get(4)?,
            completion_tokens: row.get(5)?,
        })
    };
    select.query_map([], day)?.collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const WHOLE: Used = Used { answered: true, usage: Usage { prompt_tokens: 7, completion_tokens: 5 } };
    const CUT: Used = Used { answered: false, usage: Usage { prompt_tokens: 7, completion_tokens: 1 } };

    fn tally() -> (tempfile::TempDir, UsedTally) {
        let folder = tempfile::tempdir().unwrap();
        let tally = UsedTally::open(&Home::open(folder.path()).unwrap()).unwrap();
        (folder, tally)
    }

    #[tokio::test]
    async fn a_day_adds_up_and_outlasts_the_node() {
        let (folder, tally) = tally();
        let (one, two) = (date(2026, 11, 22), date(2026, 11, 23));
        for (day, model, used) in [(one, "b", WHOLE), (two, "b", WHOLE), (two, "b", CUT), (two, "a", CUT)] {
            tally.count(day, model.into(), used).await;
        }
        drop(tally);
        let tally = UsedTally::open(&Home::open(folder.path()).unwrap()).unwrap();
        let line = |day: &str, model: &str, answered, unanswered, prompt_tokens, completion_tokens| {
            let (day, model) = (day.to_owned(), model.to_owned());
            UsedDay { day, model, answered, unanswered, prompt_tokens, completion_tokens }
        };
        let expected = [
            line("2026-11-23", "a", 0, 1, 7, 1),
            line("2026-11-23", "b", 1, 1, 14, 6),
            line("2026-11-22", "b", 1, 0, 7, 5),
        ];
        assert_eq!(tally.days().await.unwrap(), expected);
        tally.erase().await.unwrap();
        assert_eq!(tally.days().await.unwrap(), []);
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(10).any(|window| window == b"2026-11-23"), "traces stay");
        }
    }

    #[tokio::test]
    async fn what_is_kept_has_bounds() {
        let (_folder, tally) = tally();
        let today = date(2026, 11, 23);
        tally.count(today.checked_sub(DAYS_MAX.days()).unwrap(), "old".into(), WHOLE).await;
        tally.count(today.checked_sub((DAYS_MAX - 1).days()).unwrap(), "kept".into(), WHOLE).await;
        for model in 0..MODELS_PER_DAY_MAX + 3 {
            tally.count(today, format!("{model}-{}", "ä".repeat(200)), WHOLE).await;
        }
        tally.count(today, format!("0-{}", "ä".repeat(200)), CUT).await;
        let days = tally.days().await.unwrap();
        assert_eq!(days.len(), MODELS_PER_DAY_MAX as usize + 2);
        assert_eq!(days.last().unwrap().model, "kept");
        assert!(days.iter().any(|day| day.model == OTHERS && day.answered == 3), "{days:?}");
        assert!(days.iter().any(|day| day.model.starts_with("0-ä") && day.unanswered == 1));
        let widest = UsedDay {
            day: "2026-11-23".into(),
            model: "\u{10ffff}".repeat(NAME_CHARS_MAX),
            answered: u64::MAX,
            unanswered: u64::MAX,
            prompt_tokens: u64::MAX,
            completion_tokens: u64::MAX,
        };
        // JSON is never shorter than what goes through the door.
        let most = DAYS_MAX as usize * (MODELS_PER_DAY_MAX as usize + 1);
        let bytes = serde_json::to_vec(&widest).unwrap().len() * most;
        assert!(bytes < lull_door::REPLY_BYTES_MAX, "{bytes} bytes");
    }
}
