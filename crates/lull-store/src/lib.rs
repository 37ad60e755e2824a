//! Opens an SQLite database so that an acknowledged write is on the disk, and brings its schema forward.
//! It must never know what is stored.

use std::path::{Path, PathBuf};

pub use rusqlite;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

/// How long a writer waits for another one, in milliseconds.
pub const BUSY_TIMEOUT_MS: u64 = 5_000;
/// How long to wait before a new file is turned over again, in milliseconds.
const WAL_RETRY_MS: u64 = 5;

/// The most bytes that the write-ahead log keeps on the disk after a checkpoint.
const JOURNAL_BYTES_MAX: i64 = 64 * 1024 * 1024;

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Its schema was written by a later version of Lull.
    #[error(
        "{path}: this database has schema {found}, and this version of Lull knows up to {known}: run the newer version, \
         or restore a backup"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema it has.
        found: usize,
        /// The schema that this program knows.
        known: usize,
    },
    /// It is no database, or a broken one.
    #[error("{path}: this database is damaged ({detail}): move it away and restore a backup")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite found.
        detail: String,
    },
    /// A migration did not go through; nothing of it was kept.
    #[error("{path}: the step to schema {step} failed: {source}")]
    Migration {
        /// The file.
        path: PathBuf,
        /// The schema that was being made.
        step: usize,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// It could not be opened, read or written.
    #[error("{path}: {source}")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The file could not be made.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Opens the database at `path`, made with mode 0600 if it is not there, and runs the migrations it has not had yet.
///
/// `migrations[i]` takes the schema from `i` to `i + 1`; published ones never change. Each runs in a transaction of its
/// own. The connection has WAL, `synchronous=FULL`, full fsync where the system knows it, and foreign keys.
///
/// # Errors
/// [`StoreError`]; the file is then as it was, but for migrations that went through.
pub fn open(path: &Path, migrations: &[&str]) -> Result<Connection, StoreError> {
    let fault = |source| classify(path, source);
    make_private(path).map_err(|source| StoreError::Io { path: path.into(), source })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(fault)?;
    prepare(&connection).map_err(fault)?;
    check(path, &connection)?;
    migrate(path, &mut connection, migrations)?;
    Ok(connection)
}

fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map(drop),
    }
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_millis(BUSY_TIMEOUT_MS))?;
    let mode = use_wal(connection)?;
    if !mode.eq_ignore_ascii_case("wal") {
        let text = format!("this file system does not allow a write-ahead log (it gave {mode})");
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN),
            Some(text),
        ));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "journal_size_limit", JOURNAL_BYTES_MAX)
}

/// Two processes that turn the same new file over at once would wait for each other, so `SQLite` refuses one of them
/// without waiting, whatever the busy timeout says: that one tries again.
fn use_wal(connection: &Connection) -> rusqlite::Result<String> {
    let mut tries = BUSY_TIMEOUT_MS / WAL_RETRY_MS;
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)) {
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) && tries > 0 => {
                tries -= 1;
                std::thread::sleep(std::time::Duration::from_millis(WAL_RETRY_MS));
            }
            other => return other,
        }
    }
}

fn check(path: &Path, connection: &Connection) -> Result<(), StoreError> {
    let found: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|source| classify(path, source))?;
    if found == "ok" { Ok(()) } else { Err(StoreError::Damaged { path: path.into(), detail: found }) }
}

fn migrate(path: &Path, connection: &mut Connection, migrations: &[&str]) -> Result<(), StoreError> {
    loop {
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|source| classify(path, source))?;
        // Read under the write lock: another process may have migrated since.
        let found: i64 = transaction
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(|source| classify(path, source))?;
        let found = usize::try_from(found)
            .map_err(|_| StoreError::Damaged { path: path.into(), detail: format!("schema {found}") })?;
        if found > migrations.len() {
            return Err(StoreError::Newer { path: path.into(), found, known: migrations.len() });
        }
        let Some(migration) = migrations.get(found) else { return Ok(()) };
        let step = found + 1;
        transaction
            .execute_batch(migration)
            .and_then(|()| transaction.pragma_update(None, "user_version", step))
            .and_then(|()| transaction.commit())
            .map_err(|source| StoreError::Migration { path: path.into(), step, source })?;
    }
}

fn classify(path: &Path, source: rusqlite::Error) -> StoreError {
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Damaged { path: path.into(), detail: source.to_string() }
        }
        _ => StoreError::Sqlite { path: path.into(), source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "CREATE TABLE a (x INTEGER NOT NULL) STRICT;";
    const SECOND: &str = "ALTER TABLE a ADD COLUMN y TEXT; INSERT INTO a VALUES (1, 'one');";

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        (folder, path)
    }

    fn pragma(connection: &Connection, name: &str) -> String {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
            .map(|value| match value {
                rusqlite::types::Value::Text(text) => text,
                rusqlite::types::Value::Integer(number) => number.to_string(),
                other => format!("{other:?}"),
            })
            .unwrap()
    }

    #[test]
    fn a_new_file_is_safe_and_private() {
        let (_folder, path) = folder();
        let connection = open(&path, &[FIRST]).unwrap();
        for (name, value) in [
            ("journal_mode", "wal"),
            ("synchronous", "2"),
            ("foreign_keys", "1"),
            ("fullfsync", "1"),
            ("user_version", "1"),
        ] {
            assert_eq!(pragma(&connection, name), value, "{name}");
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            connection.execute("INSERT INTO a VALUES (1)", []).unwrap();
            for name in ["a.db", "a.db-wal", "a.db-shm"] {
                let mode = std::fs::metadata(path.with_file_name(name)).unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o600, "{name}");
            }
        }
    }

    #[test]
    fn migrations_run_once_and_only_forward() {
        let (_folder, path) = folder();
        drop(open(&path, &[FIRST]).unwrap());
        drop(open(&path, &[FIRST, SECOND]).unwrap());
        let connection = open(&path, &[FIRST, SECOND]).unwrap();
        let rows: u32 = connection.query_row("SELECT count(*) FROM a", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 1);
        drop(connection);
        let error = open(&path, &[FIRST]).unwrap_err();
        assert!(matches!(error, StoreError::Newer { found: 2, known: 1, .. }), "{error}");
        assert!(error.to_string().contains("run the newer version"), "{error}");
    }

    #[test]
    fn a_failed_migration_leaves_nothing_behind() {
        let (_folder, path) = folder();
        let broken = "CREATE TABLE b (x); CREATE TABLE b (x);";
        let error = open(&path, &[FIRST, broken]).unwrap_err();
        assert!(matches!(error, StoreError::Migration { step: 2, .. }), "{error}");
        let connection = open(&path, &[FIRST, "CREATE TABLE b (x);"]).unwrap();
        assert_eq!(pragma(&connection, "user_version"), "2");
    }

    #[test]
    fn what_is_no_database_is_refused_and_left_alone() {
        let (_folder, path) = folder();
        let bytes = b"this is no database, however long it may be".repeat(100);
        std::fs::write(&path, &bytes).unwrap();
        let error = open(&path, &[FIRST]).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }

    #[test]
    fn a_damaged_page_is_found() {
        let (_folder, path) = folder();
        let connection = open(&path, &[FIRST]).unwrap();
        connection.execute_batch("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<9999) INSERT INTO a SELECT i FROM n;").unwrap();
        drop(connection);
        let mut bytes = std::fs::read(&path).unwrap();
        assert!(bytes.len() > 5 * 4096);
        bytes[4096..4 * 4096].fill(0xa5);
        std::fs::write(&path, &bytes).unwrap();
        let error = open(&path, &[FIRST]).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    }

    #[test]
    fn two_processes_may_open_a_new_file_at_once() {
        let (_folder, path) = folder();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| open(&path, &[FIRST, SECOND]).unwrap());
            }
        });
        let connection = open(&path, &[FIRST, SECOND]).unwrap();
        let rows: u32 = connection.query_row("SELECT count(*) FROM a", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 1);
    }
}
