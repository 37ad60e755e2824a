use std::path::Path;

use lull_store::{
    StoreError,
    rusqlite::{Connection, OptionalExtension as _, Result, Row, named_params, params, types::Type},
};
use lull_types::{NodeId, Usage};
use lull_wire::{
    frame,
    job::{Outcome, Receipt, Side},
};

use super::{
    CheckedReceipt, Deed, Enrolled, Enrolment, NodeRow, RENEW_LATE_MAX_S, RUNS_KEPT_DAYS, Run, Settlement, Standing,
    UsageRow, audit, schema::MIGRATIONS,
};
use crate::clock::day_of;

/// The longest stored document, in bytes.
const DOCUMENT_BYTES_MAX: usize = 64 * 1024;

pub(crate) fn create(path: &Path) -> std::result::Result<(), StoreError> {
    open(path).map(drop)
}

pub(crate) fn open(path: &Path) -> std::result::Result<Connection, StoreError> {
    lull_store::open(path, MIGRATIONS)
}

pub(super) fn enrol(db: &Connection, enrolment: &Enrolment) -> Result<Enrolled> {
    let Enrolment { device, now_s, not_after_s, .. } = enrolment;
    let known: Option<(Vec<u8>, String, u64, Option<u64>)> = db
        .prepare_cached("SELECT invitation, name, certificate_until_s, revoked_s FROM nodes WHERE node = ?1")?
        .query_row([device.node.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    match known {
        Some((_, _, _, Some(_))) => return Ok(Enrolled::Revoked),
        Some((invitation, name, until_s, None)) if invitation == device.invitation.id => {
            // The use was for the name that it took then.
            if name != device.name {
                return Ok(Enrolled::Used);
            }
            if until_s.saturating_add(RENEW_LATE_MAX_S) < *now_s {
                return Ok(Enrolled::Expired);
            }
            db.prepare_cached("UPDATE nodes SET certificate_until_s = max(certificate_until_s, ?2) WHERE node = ?1")?
                .execute(params![device.node.0, not_after_s])?;
            return Ok(Enrolled::Renewed);
        }
        _ => {}
    }
    if device.invitation.not_after_s < *now_s {
        return Ok(Enrolled::Expired);
    }
    let Some(first) = use_invitation(db, enrolment)? else { return Ok(Enrolled::Used) };
    write_node(db, enrolment)?;
    if first {
        tell_joined(db, enrolment)?;
    }
    Ok(Enrolled::Joined)
}

/// Once for each device and invitation: a member that goes to and fro between two of them cannot fill the log.
fn tell_joined(db: &Connection, enrolment: &Enrolment) -> Result<()> {
    let Enrolment { device, now_s, .. } = enrolment;
    let (node, name, groups) = (device.node, device.name.clone(), device.groups.clone());
    let deed = Deed::Joined { node, name, groups, invitation: audit::hex(&device.invitation.id) };
    audit::append(db, *now_s, &format!("node {node}"), &deed)
}

/// Takes one of an invitation's uses, unless this device has one already: whether it took one, `None` if none is left.
fn use_invitation(db: &Connection, enrolment: &Enrolment) -> Result<Option<bool>> {
    let invitation = &enrolment.device.invitation;
    let node = enrolment.device.node.0;
    let (uses, mine): (u64, bool) = db
        .prepare_cached("SELECT count(*), ifnull(max(node = ?2), 0) FROM invitation_uses WHERE invitation = ?1")?
        .query_row(params![invitation.id, node], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if mine {
        return Ok(Some(false));
    }
    if uses >= u64::from(invitation.uses) || is_taken(db, enrolment)? {
        return Ok(None);
    }
    db.prepare_cached("INSERT INTO invitation_uses (invitation, node, used_s) VALUES (?1, ?2, ?3)")?
        .execute(params![invitation.id, node, enrolment.now_s])?;
    Ok(Some(true))
}

/// Whether another machine, not shut out, has the name that this invitation lets join once.
fn is_taken(db: &Connection, enrolment: &Enrolment) -> Result<bool> {
    let device = &enrolment.device;
    if device.invitation.machines.is_empty() {
        return Ok(false);
    }
    db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM nodes
         WHERE invitation = ?1 AND name = ?2 AND node <> ?3 AND revoked_s IS NULL)",
    )?
    .query_row(params![device.invitation.id, device.name, device.node.0], |row| row.get(0))
}

fn write_node(db: &Connection, enrolment: &Enrolment) -> Result<()> {
    let device = &enrolment.device;
    let chain = frame::encode(&enrolment.chain, DOCUMENT_BYTES_MAX).map_err(unstorable)?;
    let groups = serde_json::to_string(&device.groups).map_err(unstorable)?;
    db.prepare_cached(
        "INSERT INTO nodes (node, device_key, chain, invitation, name, member_of, first_seen_s, last_seen_s,
             certificate_until_s, user)
         VALUES (:node, :key, :chain, :invitation, :name, :groups, :now, :now, :until, :user)
         ON CONFLICT (node) DO UPDATE SET chain = :chain, invitation = :invitation, name = :name, member_of = :groups,
             certificate_until_s = :until, user = :user",
    )?
    .execute(named_params! {
        ":node": device.node.0, ":key": device.key.0, ":chain": chain, ":invitation": device.invitation.id,
        ":name": device.name, ":groups": groups, ":now": enrolment.now_s, ":until": enrolment.not_after_s,
        ":user": device.invitation.user,
    })?;
    Ok(())
}

pub(super) fn unstorable(error: impl std::error::Error + Send + Sync + 'static) -> lull_store::rusqlite::Error {
    lull_store::rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}

pub(super) fn standing(db: &Connection, node: NodeId) -> Result<Standing> {
    let known: Option<(Option<u64>, [u8; 16], String)> = db
        .prepare_cached("SELECT revoked_s, invitation, name FROM nodes WHERE node = ?1")?
        .query_row([node.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    Ok(match known {
        None => Standing::Unknown,
        Some((None, invitation, name)) => Standing::Member { invitation, name },
        Some((Some(_), ..)) => Standing::Revoked,
    })
}

pub(super) fn seen(db: &Connection, node: NodeId, version: &str, now_s: u64) -> Result<()> {
    db.prepare_cached("UPDATE nodes SET last_seen_s = max(last_seen_s, ?2), version = ?3 WHERE node = ?1")?
        .execute(params![node.0, now_s, version])?;
    Ok(())
}

/// Shuts a node out, and says so in the audit log the first time; false if it is not known.
pub(crate) fn revoke(db: &Connection, node: NodeId, now_s: u64, by: &str) -> Result<bool> {
    let name: Option<String> = db
        .prepare_cached("UPDATE nodes SET revoked_s = ?2 WHERE node = ?1 AND revoked_s IS NULL RETURNING name")?
        .query_row(params![node.0, now_s], |row| row.get(0))
        .optional()?;
    match name {
        Some(name) => audit::append(db, now_s, by, &Deed::Revoked { node, name }).map(|()| true),
        None => Ok(standing(db, node)? == Standing::Revoked),
    }
}

pub(super) fn granted(db: &Connection, run: &Run) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO runs (job, epoch, submitter, lender, team, model, hash, granted_s)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
    )?
    .execute(params![
        run.job.0,
        run.epoch.0,
        run.submitter.0,
        run.lender.0,
        run.team,
        run.model,
        run.hash.0,
        run.granted_s
    ])?;
    Ok(())
}

/// What the ledger knows of a run before a receipt counts.
struct Known {
    submitter: NodeId,
    lender: NodeId,
    team: String,
    model: String,
    granted_s: u64,
    settled: bool,
}

pub(super) fn settle(db: &Connection, checked: &CheckedReceipt) -> Result<Settlement> {
    let receipt = &checked.receipt;
    let known = db
        .prepare_cached(
            "SELECT submitter, lender, team, model, granted_s, settled_by IS NOT NULL FROM runs
             WHERE job = ?1 AND epoch = ?2",
        )?
        .query_row(params![receipt.job.0, receipt.epoch.0], |row| {
            Ok(Known {
                submitter: node_at(row, 0)?,
                lender: node_at(row, 1)?,
                team: row.get(2)?,
                model: row.get(3)?,
                granted_s: row.get(4)?,
                settled: row.get(5)?,
            })
        })
        .optional()?;
    let Some(known) = known else { return Ok(Settlement::Foreign) };
    let (expected, side) = match receipt.side {
        Side::Submitter => (known.submitter, "submitter"),
        Side::Lender => (known.lender, "lender"),
    };
    if receipt.node != expected {
        return Ok(Settlement::Foreign);
    }
    if !write_receipt(db, checked, side)? {
        return Ok(Settlement::Repeated);
    }
    if known.settled {
        return compare(db, checked, side, &known);
    }
    db.prepare_cached("UPDATE runs SET settled_by = ?3 WHERE job = ?1 AND epoch = ?2")?.execute(params![
        receipt.job.0,
        receipt.epoch.0,
        side
    ])?;
    count_usage(db, &known, receipt.usage, Some(receipt))?;
    Ok(Settlement::Settled { usage: receipt.usage, outcome: receipt.outcome })
}

/// False if this side had spoken before.
fn write_receipt(db: &Connection, checked: &CheckedReceipt, side: &str) -> Result<bool> {
    let receipt = &checked.receipt;
    let document = frame::encode(&checked.signed, DOCUMENT_BYTES_MAX).map_err(unstorable)?;
    let written = db
        .prepare_cached(
            "INSERT INTO receipts (job, epoch, side, outcome, prompt_tokens, completion_tokens, document, received_s)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            receipt.job.0,
            receipt.epoch.0,
            side,
            outcome_text(receipt.outcome),
            receipt.usage.prompt_tokens,
            receipt.usage.completion_tokens,
            document,
            checked.received_s
        ])?;
    Ok(written > 0)
}

/// The other side has spoken before: do both tell the same story? A cancelled or failed run is counted differently at
/// its two ends, because frames were on their way; a completed one is not.
fn compare(db: &Connection, checked: &CheckedReceipt, side: &str, known: &Known) -> Result<Settlement> {
    let receipt = &checked.receipt;
    let (outcome, prompt_tokens, completion_tokens): (String, u32, u32) = db
        .prepare_cached(
            "SELECT outcome, prompt_tokens, completion_tokens FROM receipts
             WHERE job = ?1 AND epoch = ?2 AND side <> ?3",
        )?
        .query_row(params![receipt.job.0, receipt.epoch.0, side], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let completed = outcome_text(Outcome::Completed);
    let mine = outcome_text(receipt.outcome);
    let same_counts =
        (prompt_tokens, completion_tokens) == (receipt.usage.prompt_tokens, receipt.usage.completion_tokens);
    let disputed = match (outcome == completed, mine == completed) {
        (true, true) => !same_counts,
        (false, false) => false,
        // Whoever asked may leave just when the answer is done; anything else is a contradiction.
        _ => outcome != outcome_text(Outcome::Cancelled) && mine != outcome_text(Outcome::Cancelled),
    };
    let (prompt, completion) = (receipt.usage.prompt_tokens, receipt.usage.completion_tokens);
    let added = Usage {
        prompt_tokens: prompt.saturating_sub(prompt_tokens),
        completion_tokens: completion.saturating_sub(completion_tokens),
    };
    let more = (added != Usage::default()).then_some(Usage {
        prompt_tokens: prompt.max(prompt_tokens),
        completion_tokens: completion.max(completion_tokens),
    });
    if more.is_some() {
        count_usage(db, known, added, None)?;
    }
    if !disputed {
        return Ok(Settlement::Agreed { more });
    }
    db.prepare_cached("UPDATE runs SET disputed = 1 WHERE job = ?1 AND epoch = ?2")?
        .execute(params![receipt.job.0, receipt.epoch.0])?;
    Ok(Settlement::Disputed { more })
}

fn outcome_text(outcome: Outcome) -> String {
    match outcome {
        Outcome::Completed => "completed".into(),
        Outcome::Cancelled => "cancelled".into(),
        Outcome::Failed(code) => format!("failed:{code}"),
    }
}

/// Adds to the day's use; `first`: the word that settles the run, if this is it.
fn count_usage(db: &Connection, known: &Known, usage: Usage, first: Option<&Receipt>) -> Result<()> {
    let settles = first.is_some();
    // A job counts once, however many runs it needed.
    let first: bool = first.map_or(Ok(false), |receipt| {
        db.prepare_cached(
            "SELECT NOT EXISTS (SELECT 1 FROM runs WHERE job = ?1 AND epoch <> ?2 AND settled_by IS NOT NULL)",
        )?
        .query_row(params![receipt.job.0, receipt.epoch.0], |row| row.get(0))
    })?;
    for (node, role) in [(known.submitter, "asked"), (known.lender, "lent")] {
        db.prepare_cached(
            "INSERT INTO usage_by_day (day, node, role, team, model, jobs, prompt_tokens, completion_tokens)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT DO UPDATE SET jobs = jobs + excluded.jobs,
                 prompt_tokens = prompt_tokens + excluded.prompt_tokens,
                 completion_tokens = completion_tokens + excluded.completion_tokens",
        )?
        .execute(params![
            day_of(known.granted_s),
            node.0,
            role,
            known.team,
            known.model,
            u64::from(first || (settles && role == "lent")),
            usage.prompt_tokens,
            usage.completion_tokens
        ])?;
    }
    Ok(())
}

pub(super) fn learned(db: &Connection, model: &str, now_s: u64) -> Result<()> {
    db.prepare_cached("INSERT INTO models (name, first_seen_s) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute(params![model, now_s])?;
    Ok(())
}

pub(super) fn models(db: &Connection) -> Result<Vec<String>> {
    db.prepare_cached("SELECT name FROM models ORDER BY name")?.query_map([], |row| row.get(0))?.collect()
}

/// Forgets runs that nobody will speak about any more.
pub(super) fn prune(db: &Connection, now_s: u64) -> Result<usize> {
    let before_s = now_s.saturating_sub(RUNS_KEPT_DAYS * 86_400);
    db.execute("DELETE FROM runs WHERE granted_s < ?1", [before_s])
}

pub(crate) fn nodes(db: &Connection) -> Result<Vec<NodeRow>> {
    db.prepare(
        "SELECT node, name, member_of, version, first_seen_s, last_seen_s, certificate_until_s, revoked_s,
             quarantined_why FROM nodes ORDER BY name, node",
    )?
    .query_map([], |row| {
        let groups: String = row.get(2)?;
        Ok(NodeRow {
            node: node_at(row, 0)?,
            name: row.get(1)?,
            groups: serde_json::from_str(&groups).map_err(|error| unreadable(2, error))?,
            version: row.get(3)?,
            first_seen_s: row.get(4)?,
            last_seen_s: row.get(5)?,
            certificate_until_s: row.get(6)?,
            revoked_s: row.get(7)?,
            quarantined: row.get(8)?,
        })
    })?
    .collect()
}

pub(crate) fn usage(db: &Connection) -> Result<Vec<UsageRow>> {
    db.prepare(
        "SELECT day, node, role, team, model, jobs, prompt_tokens, completion_tokens FROM usage_by_day
         ORDER BY day, role, team, node, model",
    )?
    .query_map([], |row| {
        Ok(UsageRow {
            day: row.get(0)?,
            node: node_at(row, 1)?,
            role: row.get(2)?,
            team: row.get(3)?,
            model: row.get(4)?,
            jobs: row.get(5)?,
            prompt_tokens: row.get(6)?,
            completion_tokens: row.get(7)?,
        })
    })?
    .collect()
}

pub(super) fn node_at(row: &Row<'_>, column: usize) -> Result<NodeId> {
    row.get::<_, [u8; 16]>(column).map(NodeId)
}

pub(super) fn unreadable(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> lull_store::rusqlite::Error {
    lull_store::rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
