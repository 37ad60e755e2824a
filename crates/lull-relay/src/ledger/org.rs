//! What the organisation has said to all: its policy, whom it shut out, and how much of today is used.

use lull_core::scheduler::Used;
use lull_store::rusqlite::{Connection, OptionalExtension as _, Result, params};
use lull_types::NodeId;
use lull_wire::{
    Signed, frame,
    policy::{DENIED_MAX, DenyList, PolicyDocument},
};

use super::{
    Deed, audit,
    sqlite::{node_at, unreadable, unstorable},
};
use crate::login::Person;

/// The longest stored policy, in bytes.
const POLICY_BYTES_MAX: usize = 256 * 1024;

/// All that counts for everybody.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Orders {
    /// The newest policy, signed by root.
    pub policy: Option<Signed<PolicyDocument>>,
    /// Everyone who was ever revoked.
    pub revoked: Vec<NodeId>,
    /// The same for other machines: the latest of them, as [`DenyList`] holds them.
    pub denied: DenyList,
}

pub(super) fn orders(db: &Connection) -> Result<Orders> {
    let policy = policy(db)?;
    let mut statement = db.prepare_cached(
        "SELECT node, member, revoked_s FROM nodes WHERE revoked_s IS NOT NULL ORDER BY revoked_s DESC, node",
    )?;
    let rows: Vec<(NodeId, Option<[u8; 16]>, u64)> =
        statement.query_map([], |row| Ok((node_at(row, 0)?, row.get(1)?, row.get(2)?)))?.collect::<Result<_>>()?;
    // It grows with each of them, and a ledger that was put back from a copy is past what it said before with the next.
    let version = rows.first().map_or(0, |(_, _, latest_s)| latest_s.saturating_add(rows.len() as u64));
    let mut denied = DenyList { version, ..DenyList::default() };
    for (node, member, _) in rows.iter().take(DENIED_MAX) {
        denied.nodes.push(*node);
        denied.members.extend(member.map(NodeId));
    }
    denied.nodes.sort_unstable();
    denied.members.sort_unstable();
    Ok(Orders { policy, revoked: rows.into_iter().map(|(node, ..)| node).collect(), denied })
}

pub(crate) fn policy(db: &Connection) -> Result<Option<Signed<PolicyDocument>>> {
    let document: Option<Vec<u8>> = db
        .prepare_cached("SELECT document FROM policies ORDER BY version DESC LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    document.map(|document| frame::decode(&document).map_err(|error| unreadable(0, error))).transpose()
}

/// Keeps a policy, and tells of it; false, and nothing is kept, if one of its version or a later one is known.
pub(crate) fn push_policy(
    db: &Connection,
    signed: &Signed<PolicyDocument>,
    policy: &PolicyDocument,
    now_s: u64,
    by: &str,
) -> Result<bool> {
    let known: u64 = db.query_row("SELECT ifnull(max(version), 0) FROM policies", [], |row| row.get(0))?;
    if policy.version <= known {
        return Ok(false);
    }
    let document = frame::encode(signed, POLICY_BYTES_MAX).map_err(unstorable)?.split_off(frame::LENGTH_BYTES);
    db.execute(
        "INSERT INTO policies (version, document, pushed_s) VALUES (?1, ?2, ?3)",
        params![policy.version, document, now_s],
    )?;
    let sha256 = audit::hex(&lull_wire::identity::fingerprint(policy.text.as_bytes()));
    let deed = Deed::PolicyPushed { version: policy.version, not_after_s: policy.not_after_s, sha256 };
    audit::append(db, now_s, by, &deed)?;
    Ok(true)
}

/// The key that a node asks with, unless it is another's already: whoever names a colleague's key as its own must not
/// have the colleague shut out with it.
pub(super) fn member(db: &Connection, node: NodeId, member: NodeId) -> Result<()> {
    let sql = "UPDATE nodes SET member = ?2 WHERE node = ?1 AND member IS NOT ?2
         AND NOT EXISTS (SELECT 1 FROM nodes WHERE member = ?2 AND node <> ?1)";
    db.prepare_cached(sql)?.execute(params![node.0, member.0])?;
    Ok(())
}

/// Whoever works at a node: as its invitation says, else the node itself.
pub(crate) fn user_of(node: NodeId, user: &str) -> String {
    if user.is_empty() { node.to_string() } else { user.to_owned() }
}

/// What was asked on a day.
pub(super) fn used(db: &Connection, day: u64) -> Result<Vec<Used>> {
    let mut statement = db.prepare_cached(
        "SELECT nodes.node, ifnull(logins.user, nodes.user), member_of, model, sum(prompt_tokens + completion_tokens),
             ifnull(logins.groups, '[]')
         FROM usage_by_day JOIN nodes USING (node) LEFT JOIN logins USING (node)
         WHERE day = ?1 AND role = 'asked' GROUP BY nodes.node, model",
    )?;
    let row = |row: &lull_store::rusqlite::Row<'_>| {
        let (node, user): (_, String) = (node_at(row, 0)?, row.get(1)?);
        let names = |at: usize| -> Result<Vec<String>> {
            serde_json::from_str(&row.get::<_, String>(at)?).map_err(|error| unreadable(at, error))
        };
        // Those of the machine and of whoever has signed in there, as the scheduler counts them.
        let mut groups = names(2)?;
        groups.extend(names(5)?);
        groups.sort_unstable();
        groups.dedup();
        Ok(Used { user: user_of(node, &user), groups, model: row.get(3)?, tokens: row.get(4)? })
    };
    statement.query_map([day], row)?.collect()
}

/// Keeps a node away from jobs, and tells of it the first time.
pub(super) fn quarantine(db: &Connection, node: NodeId, why: &str, now_s: u64) -> Result<()> {
    let changed = db.execute(
        "UPDATE nodes SET quarantined_s = ?2, quarantined_why = ?3 WHERE node = ?1 AND quarantined_s IS NULL",
        params![node.0, now_s, why],
    )?;
    if changed == 0 {
        return Ok(());
    }
    audit::append(db, now_s, "the relay", &Deed::Quarantined { node, why: why.to_owned() })
}

pub(super) fn quarantined(db: &Connection) -> Result<Vec<(NodeId, u64)>> {
    db.prepare_cached("SELECT node, quarantined_s FROM nodes WHERE quarantined_s IS NOT NULL")?
        .query_map([], |row| Ok((node_at(row, 0)?, row.get(1)?)))?
        .collect()
}

/// Lets a quarantined node back; false if it was not quarantined.
pub(crate) fn release(db: &Connection, node: NodeId, now_s: u64, by: &str) -> Result<bool> {
    let changed = db.execute(
        "UPDATE nodes SET quarantined_s = NULL, quarantined_why = NULL WHERE node = ?1 AND quarantined_s IS NOT NULL",
        [node.0],
    )?;
    if changed > 0 {
        audit::append(db, now_s, by, &Deed::Released { node })?;
    }
    Ok(changed > 0)
}

/// Keeps who logged in at a node, and tells of it when it is somebody else than before.
pub(super) fn login(db: &Connection, node: NodeId, person: &Person, now_s: u64) -> Result<()> {
    let before = self::person(db, node)?.map(|before| before.user);
    let groups = serde_json::to_string(&person.groups).map_err(unstorable)?;
    db.prepare_cached(
        "INSERT INTO logins (node, user, groups, until_s) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (node) DO UPDATE SET user = ?2, groups = ?3, until_s = ?4",
    )?
    .execute(params![node.0, person.user, groups, person.until_s])?;
    if before.as_ref() == Some(&person.user) {
        return Ok(());
    }
    audit::append(db, now_s, &format!("node {node}"), &Deed::LoggedIn { node, user: person.user.clone() })
}

pub(super) fn person(db: &Connection, node: NodeId) -> Result<Option<Person>> {
    db.prepare_cached("SELECT user, groups, until_s FROM logins WHERE node = ?1")?
        .query_row([node.0], |row| {
            let groups: String = row.get(1)?;
            let groups = serde_json::from_str(&groups).map_err(|error| unreadable(1, error))?;
            Ok(Person { user: row.get(0)?, groups, until_s: row.get(2)? })
        })
        .optional()
}
