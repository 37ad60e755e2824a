//! Who did what: a log that is only ever added to. Each entry's hash covers the entry and the hash before it, so that
//! whoever has noted one hash can tell later whether anything up to there was changed, left out or put in between.

use lull_store::rusqlite::{Connection, OptionalExtension as _, Result, Transaction, TransactionBehavior, params};
use lull_types::NodeId;
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use super::sqlite::unstorable;

/// What begins the first entry's hash, so that no other chain of ours has the same.
const CHAIN: &[u8] = b"lull audit v1";

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "deed", rename_all = "snake_case")]
pub enum Deed {
    /// A relay began to run.
    RelayStarted {
        /// Its version of Lull.
        version: String,
    },
    /// An invitation was made on this machine.
    TokenCreated {
        /// Its number, in hexadecimal.
        invitation: String,
        /// The groups of those who join with it.
        groups: Vec<String>,
        /// How many may join with it.
        uses: u32,
        /// When it ends, in seconds since 1970.
        not_after_s: u64,
    },
    /// A machine joined with an invitation.
    Joined {
        /// The machine.
        node: NodeId,
        /// The name it gave itself.
        name: String,
        /// Its groups.
        groups: Vec<String>,
        /// The invitation's number, in hexadecimal.
        invitation: String,
    },
    /// A policy was signed and handed to the relay.
    PolicyPushed {
        /// Its version.
        version: u64,
        /// When it ends, in seconds since 1970.
        not_after_s: u64,
        /// SHA-256 of its text, in hexadecimal.
        sha256: String,
    },
    /// A machine gave answers that are not the model's, and gets no job.
    Quarantined {
        /// The machine.
        node: NodeId,
        /// The figures on which that rests.
        why: String,
    },
    /// A quarantined machine was let back.
    Released {
        /// The machine.
        node: NodeId,
    },
    /// Somebody logged in at a machine.
    LoggedIn {
        /// The machine.
        node: NodeId,
        /// Who, by their provider's word.
        user: String,
    },
    /// A machine was shut out.
    Revoked {
        /// The machine.
        node: NodeId,
        /// The name it gave itself.
        name: String,
    },
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Its number; the first is 1.
    pub number: u64,
    /// When it was written, in seconds since 1970, by the relay's clock.
    pub at_s: u64,
    /// Who did it.
    pub by: String,
    /// What was done.
    #[serde(flatten)]
    pub deed: Deed,
    /// SHA-256 over this entry and the hash before it, in hexadecimal.
    pub hash: String,
}

/// The log, read and checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Its entries, oldest first.
    pub entries: Vec<AuditRow>,
    /// The number of the first entry that does not follow from those before it: from there on nothing can be trusted.
    pub broken_at: Option<u64>,
}

/// Adds an entry. It belongs to the change that it tells of: both are kept, or neither.
pub(super) fn append(db: &Connection, at_s: u64, by: &str, deed: &Deed) -> Result<()> {
    let last: Option<(u64, Vec<u8>)> = db
        .prepare_cached("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (last, before) = last.unwrap_or_default();
    let (number, deed) = (last + 1, serde_json::to_string(deed).map_err(unstorable)?);
    let hash = hash(&before, number, at_s, by, &deed);
    db.prepare_cached("INSERT INTO audit (number, at_s, actor, deed, hash) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![number, at_s, by, deed, hash])?;
    Ok(())
}

/// Runs `change` so that it and the entries it adds are kept together, whoever else writes at the same time.
pub(crate) fn in_transaction<T>(db: &Connection, change: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    let transaction = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
    let result = change(&transaction)?;
    transaction.commit()?;
    Ok(result)
}

/// Adds an entry that tells of something outside the ledger.
pub(crate) fn note(db: &Connection, at_s: u64, by: &str, deed: &Deed) -> Result<()> {
    in_transaction(db, |db| append(db, at_s, by, deed))
}

/// The whole log, with the first place where it does not hold together.
pub(crate) fn read(db: &Connection) -> Result<Audit> {
    let mut statement = db.prepare("SELECT number, at_s, actor, deed, hash FROM audit ORDER BY number")?;
    let mut rows = statement.query([])?;
    let mut audit = Audit { entries: Vec::new(), broken_at: None };
    let mut before = Vec::new();
    while let Some(row) = rows.next()? {
        let (number, at_s, by, text): (u64, u64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        let kept: Vec<u8> = row.get(4)?;
        let follows = number == audit.entries.len() as u64 + 1 && kept == hash(&before, number, at_s, &by, &text);
        let Ok(deed) = serde_json::from_str(&text) else {
            audit.broken_at = audit.broken_at.or(Some(number));
            break;
        };
        if !follows {
            audit.broken_at = audit.broken_at.or(Some(number));
        }
        audit.entries.push(AuditRow { number, at_s, by, deed, hash: hex(&kept) });
        before = kept;
    }
    Ok(audit)
}

fn hash(before: &[u8], number: u64, at_s: u64, by: &str, deed: &str) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    context.update(if before.is_empty() { CHAIN } else { before });
    for number in [number, at_s, by.len() as u64] {
        context.update(&number.to_be_bytes());
    }
    context.update(by.as_bytes());
    context.update(deed.as_bytes());
    context.finish().as_ref().to_vec()
}

/// Bytes as people compare them.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> (tempfile::TempDir, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let db = super::super::open(&folder.path().join("relay.db")).unwrap();
        for n in 1..=4 {
            note(&db, 10 * n, "uid 0", &Deed::RelayStarted { version: format!("0.{n}") }).unwrap();
        }
        (folder, db)
    }

    fn tampered(sql: &str) -> Audit {
        let (_folder, db) = log();
        // Somebody who owns the file can take the triggers away.
        db.execute_batch("DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_cut").unwrap();
        db.execute_batch(sql).unwrap();
        read(&db).unwrap()
    }

    #[test]
    fn entries_follow_from_each_other() {
        let (_folder, db) = log();
        let audit = read(&db).unwrap();
        assert_eq!((audit.entries.len(), audit.broken_at), (4, None));
        assert_eq!((audit.entries[3].number, audit.entries[3].at_s), (4, 40));
        let hashes: std::collections::BTreeSet<_> = audit.entries.iter().map(|entry| &entry.hash).collect();
        assert_eq!(hashes.len(), 4);
    }

    #[test]
    fn nothing_is_changed_or_cut_by_this_program() {
        let (_folder, db) = log();
        for sql in ["UPDATE audit SET at_s = 1 WHERE number = 2", "DELETE FROM audit WHERE number = 4"] {
            assert!(db.execute_batch(sql).unwrap_err().to_string().contains("only ever added to"), "{sql}");
        }
    }

    #[test]
    fn whatever_was_changed_or_left_out_shows() {
        for (sql, at) in [
            ("UPDATE audit SET at_s = 1 WHERE number = 2", 2),
            ("UPDATE audit SET actor = 'uid 1' WHERE number = 1", 1),
            ("UPDATE audit SET deed = replace(deed, '0.3', '0.9') WHERE number = 3", 3),
            ("UPDATE audit SET deed = '{}' WHERE number = 3", 3),
            ("UPDATE audit SET hash = zeroblob(32) WHERE number = 4", 4),
            ("DELETE FROM audit WHERE number = 2", 3),
            ("DELETE FROM audit WHERE number = 1; UPDATE audit SET number = number - 1", 1),
        ] {
            assert_eq!(tampered(sql).broken_at, Some(at), "{sql}");
        }
        // Only a hash that somebody noted tells of this one.
        let cut = tampered("DELETE FROM audit WHERE number = 4");
        assert_eq!((cut.broken_at, cut.entries.len()), (None, 3));
    }

    #[test]
    fn a_change_that_fails_leaves_no_entry() {
        let (_folder, db) = log();
        let failed: Result<()> = in_transaction(&db, |db| {
            append(db, 50, "uid 0", &Deed::RelayStarted { version: String::new() })?;
            db.execute_batch("INSERT INTO nowhere VALUES (1)")
        });
        assert!(failed.is_err());
        assert_eq!(read(&db).unwrap().entries.len(), 4);
    }
}
