//! Small databases that belong to this machine's person: a damaged one begins anew, an erased one keeps no trace.

use std::{fs, path::Path};

use lull_door::fault::storage;
use lull_store::{
    StoreError,
    rusqlite::{self, Connection},
};
use lull_types::{Code, Fault};

/// Opens a database, which is made if it is missing; `what` it is, in faults.
pub(crate) fn open(path: &Path, migrations: &[&str], what: &str) -> Result<Connection, Fault> {
    let db = match lull_store::open(path, migrations) {
        Err(error @ StoreError::Damaged { .. }) => {
            // It is no reason not to ask or lend. What is left of it stays for whoever wants to look.
            let aside = path.with_extension("damaged");
            tracing::warn!(%error, aside = %aside.display(), "{what} is damaged: it begins anew");
            fs::rename(path, &aside).map_err(|error| storage("move away", path, &error))?;
            for beside in ["db-wal", "db-shm"] {
                // Most often there is none.
                let _ = fs::remove_file(path.with_extension(beside));
            }
            lull_store::open(path, migrations)
        }
        opened => opened,
    };
    let db = db.map_err(|error| Fault::new(Code::Storage, format!("{what} cannot be used: {error}")))?;
    // What is deleted is overwritten.
    db.pragma_update(None, "secure_delete", true).map_err(|error| failed(what, &error))?;
    Ok(db)
}

/// A question or a change that the database did not take.
pub(crate) fn failed(what: &str, error: &rusqlite::Error) -> Fault {
    Fault::new(Code::Storage, format!("{what} cannot be read or written ({error}); check the disk"))
}

/// Overwrites, gives the room back, and empties the write-ahead log, each time down to the files themselves.
pub(crate) fn erase(db: &Connection, table: &str, what: &str) -> Result<(), Fault> {
    let overwrite = || {
        db.execute(&format!("DELETE FROM {table}"), [])?;
        let first = empty_journal(db)?;
        db.execute_batch("VACUUM")?;
        Ok(first && empty_journal(db)?)
    };
    if overwrite().map_err(|error| failed(what, &error))? {
        return Ok(());
    }
    let text = format!(
        "{what} is erased, but another program still reads it, so that its file may keep traces; close that program and \
         erase again"
    );
    Err(Fault::new(Code::Busy, text))
}

/// Whether nothing is left in the write-ahead log.
fn empty_journal(db: &Connection) -> rusqlite::Result<bool> {
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0)).map(|busy| busy == 0)
}
