//! What an administrator asks for on the relay's machine, whether the relay runs or not.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    time::Duration,
};

use lull_store::rusqlite::Connection;
use lull_types::NodeId;
use lull_wire::{
    SecretKey, Signed, Token,
    identity::{GROUPS_MAX, Invitation, MACHINES_MAX, name_fits},
    random,
};
use serde::Serialize;

pub use crate::ledger::{Audit, AuditRow, Deed, NodeRow, UsageRow};
pub use crate::policy::{
    POLICY_DAYS, POLICY_DAYS_MAX, Pushed, Reach, Standing as PolicyStanding, push as policy_push, standing as policy,
};
use crate::{
    RelayError, clock,
    home::{RootHome, admin_file, database, existing_database, lock_file},
    http::{AdminFile, RevokeBody},
    ledger::{self, LedgerError},
    lock, policy,
};

/// The most devices that one token may bring in.
pub const USES_MAX: u32 = 100_000;
/// The longest that a token may last, in seconds.
pub const TTL_MAX_S: u64 = 366 * 86_400;
/// The fewest digits of an id that name a node.
const ID_DIGITS_MIN: usize = 4;
/// How long a running relay may take to answer, in milliseconds.
const ANSWER_MAX_MS: u64 = 5_000;
/// The longest answer of a running relay, in bytes.
const ANSWER_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// A node, and whether it is connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeView {
    /// What the ledger says.
    #[serde(flatten)]
    pub row: NodeRow,
    /// Whether it is connected now; `None` when no relay runs, or none could be reached that could say.
    pub connected: Option<bool>,
}

/// What became of a revocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Revoked {
    /// Who was shut out.
    pub row: NodeRow,
    /// A running relay has closed its connections; else there is none, and it counts from the next start.
    pub live: bool,
}

/// Whom a token brings in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenWish {
    /// Their groups.
    pub groups: Vec<String>,
    /// How many devices.
    pub uses: u32,
    /// For how long it may be used, in seconds.
    pub ttl_s: u64,
    /// The names of the machines that may use it, each once; none: any.
    pub machines: Vec<String>,
    /// Who works at them; empty: each machine stands for itself.
    pub user: String,
}

impl Default for TokenWish {
    fn default() -> Self {
        Self { groups: Vec::new(), uses: 1, ttl_s: 3_600, machines: Vec::new(), user: String::new() }
    }
}

/// Makes a token. Needs `DIR/root` only.
///
/// # Errors
/// [`RelayError`] when the root's folder is away, or a bound is broken.
pub fn token_create(dir: &Path, wish: &TokenWish) -> Result<Token, RelayError> {
    let TokenWish { groups, uses, ttl_s, machines, user } = wish;
    let (uses, ttl_s) = (*uses, *ttl_s);
    let bad = |text: String| Err(RelayError::BadRequest(text));
    if groups.len() > GROUPS_MAX || !groups.iter().all(|group| name_fits(group)) {
        return bad(format!("a token names at most {GROUPS_MAX} groups, each of 1 to 64 printable bytes"));
    }
    if uses == 0 || uses > USES_MAX {
        return bad(format!("a token brings in 1 to {USES_MAX} devices, not {uses}"));
    }
    if ttl_s == 0 || ttl_s > TTL_MAX_S {
        return bad(format!("a token lasts 1 second to {} days", TTL_MAX_S / 86_400));
    }
    if machines.len() > MACHINES_MAX || !machines.iter().all(|machine| name_fits(machine)) {
        return bad(format!("a token names at most {MACHINES_MAX} machines, each of 1 to 64 printable bytes"));
    }
    if !user.is_empty() && !name_fits(user) {
        return bad("a person's name has 1 to 64 printable bytes".into());
    }
    let root = RootHome::load(dir)?;
    let key = SecretKey::generate();
    let not_after_s = clock::now_s().saturating_add(ttl_s);
    let made = Invitation {
        machines: machines.clone(),
        user: user.clone(),
        policy: policy::floor(dir)?,
        ..Invitation::new(random(), groups.clone(), uses, not_after_s, key.public())
    };
    let invitation = Signed::sign(&made, &root.key).map_err(|error| RelayError::BadRequest(error.to_string()))?;
    tell_of_token(dir, &made)?;
    Ok(Token::new(root.org.public, root.org.root, root.org.statement, invitation, &key))
}

/// Where the relay's own folder is beside the root's, its audit log tells of each token; elsewhere there is none, and
/// the log shows an invitation when it is used.
fn tell_of_token(dir: &Path, made: &Invitation) -> Result<(), RelayError> {
    if !database(dir).exists() {
        return Ok(());
    }
    let database = existing_database(dir)?;
    let Invitation { id, groups, uses, not_after_s, .. } = made;
    let (invitation, groups, uses, not_after_s) = (ledger::hex(id), groups.clone(), *uses, *not_after_s);
    let deed = Deed::TokenCreated { invitation, groups, uses, not_after_s };
    ledger::note(&ledger::open(&database)?, clock::now_s(), &administrator(), &deed).map_err(ledger_fault)
}

/// Who did what, oldest first, checked.
///
/// # Errors
/// [`RelayError`] when the database cannot be read.
pub fn audit(dir: &Path) -> Result<Audit, RelayError> {
    ledger::audit(&open(dir)?).map_err(ledger_fault)
}

/// Whoever runs this program, as the audit log calls them.
pub(crate) fn administrator() -> String {
    #[cfg(unix)]
    let account = format!("uid {}", rustix::process::getuid().as_raw());
    #[cfg(not(unix))]
    let account =
        std::env::var("USERNAME").map_or_else(|_| "an unknown account".into(), |name| format!("account {name}"));
    match std::env::var("SUDO_USER") {
        Ok(name) => format!("{account}, for {name}"),
        Err(_) => account,
    }
}

/// All nodes that ever enrolled, by name.
///
/// # Errors
/// [`RelayError`] when the database cannot be read.
pub fn nodes(dir: &Path) -> Result<Vec<NodeView>, RelayError> {
    let rows = ledger::nodes(&open(dir)?).map_err(ledger_fault)?;
    let connected: Option<Vec<NodeId>> = match call(dir, "GET", "/admin/connected", b"") {
        Reply::Answer(answer) if answer.status == 200 => serde_json::from_slice(&answer.body).ok(),
        _ => None,
    };
    let view = |row: NodeRow| NodeView { connected: connected.as_ref().map(|all| all.contains(&row.node)), row };
    Ok(rows.into_iter().map(view).collect())
}

/// Shuts a node out, named by its id, the beginning of its id, or its name. A running relay closes its connections at
/// once.
///
/// # Errors
/// [`RelayError::NoSuchNode`] when nothing or too much fits; [`RelayError::NotReached`] when a relay runs and could
/// not be told.
pub fn revoke(dir: &Path, node: &str) -> Result<Revoked, RelayError> {
    let db = open(dir)?;
    let rows = ledger::nodes(&db).map_err(ledger_fault)?;
    let node = find(rows, node)?.node;
    let shut_out = |db: &Connection| ledger::revoke(db, node, clock::now_s(), &administrator());
    ledger::in_transaction(&db, shut_out).map_err(ledger_fault)?;
    let rows = ledger::nodes(&db).map_err(ledger_fault)?;
    let row = find(rows, &node.to_string())?;
    let body = serde_json::to_vec(&RevokeBody { node }).map_err(|error| RelayError::BadRequest(error.to_string()))?;
    match call(dir, "POST", "/admin/revoke", &body) {
        Reply::NobodyRuns => Ok(Revoked { row, live: false }),
        Reply::Answer(answer) if answer.status == 204 => Ok(Revoked { row, live: true }),
        Reply::Answer(answer) => Err(RelayError::NotReached(format!("it answered {}", answer.status))),
        Reply::NotReached(why) => Err(RelayError::NotReached(why)),
    }
}

/// Lets back a quarantined node, or a checker that the running relay does not believe; named as for [`revoke`]. A
/// running relay follows at once.
///
/// # Errors
/// [`RelayError::NoSuchNode`] when nothing or too much fits, or it is neither; [`RelayError::NotReached`].
pub fn release(dir: &Path, node: &str) -> Result<NodeRow, RelayError> {
    let db = open(dir)?;
    let row = find(ledger::nodes(&db).map_err(ledger_fault)?, node)?;
    let let_back = |db: &Connection| ledger::release(db, row.node, clock::now_s(), &administrator());
    let written = ledger::in_transaction(&db, let_back).map_err(ledger_fault)?;
    let body = RevokeBody { node: row.node };
    let body = serde_json::to_vec(&body).map_err(|error| RelayError::BadRequest(error.to_string()))?;
    match call(dir, "POST", "/admin/release", &body) {
        Reply::Answer(answer) if answer.status == 204 => Ok(row),
        Reply::NobodyRuns if written => Ok(row),
        // It began after the quarantine was written down, or has not heard of it.
        Reply::Answer(answer) if answer.status == 404 && written => Ok(row),
        Reply::Answer(Answer { status: 404, .. }) | Reply::NobodyRuns => Err(RelayError::NoSuchNode(format!(
            "{} is neither quarantined (`lull admin nodes` lists who is) nor a checker that is not believed",
            row.name
        ))),
        Reply::Answer(answer) => Err(RelayError::NotReached(format!("it answered {}", answer.status))),
        Reply::NotReached(why) => Err(RelayError::NotReached(why)),
    }
}

/// What nodes asked and lent, by day, team and model.
///
/// # Errors
/// [`RelayError`] when the database cannot be read.
pub fn usage(dir: &Path) -> Result<Vec<UsageRow>, RelayError> {
    ledger::usage(&open(dir)?).map_err(ledger_fault)
}

pub(crate) fn open(dir: &Path) -> Result<Connection, RelayError> {
    Ok(ledger::open(&existing_database(dir)?)?)
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function for map_err")]
pub(crate) fn ledger_fault(error: lull_store::rusqlite::Error) -> RelayError {
    LedgerError::Database(error.to_string()).into()
}

/// A whole id always means its node, so that nobody can hide behind a name that looks like one.
fn find(rows: Vec<NodeRow>, wanted: &str) -> Result<NodeRow, RelayError> {
    let (id, is_long) = (wanted.to_ascii_lowercase(), wanted.len() >= ID_DIGITS_MIN);
    if let Some(row) = rows.iter().find(|row| row.node.to_string() == id) {
        return Ok(row.clone());
    }
    let fits = |row: &NodeRow| row.name == wanted || (is_long && row.node.to_string().starts_with(&id));
    let mut fitting = rows.into_iter().filter(fits);
    let text = match (fitting.next(), fitting.next()) {
        (Some(row), None) => return Ok(row),
        (Some(_), Some(_)) => format!("\"{wanted}\" could be several nodes: give the whole id"),
        (None, _) => format!(
            "no node is called \"{wanted}\": give its name, or at least the first {ID_DIGITS_MIN} digits of its id, as \
             `lull admin nodes` lists them"
        ),
    };
    Err(RelayError::NoSuchNode(text))
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// What came of asking the relay.
pub(crate) enum Reply {
    /// No relay runs from this folder.
    NobodyRuns,
    Answer(Answer),
    /// One runs, or it cannot be known whether one does; why it was not asked.
    NotReached(String),
}

/// Asks the running relay. Only its lock says that there is none: its admin file may be gone, damaged or out of date.
pub(crate) fn call(dir: &Path, method: &str, path: &str, body: &[u8]) -> Reply {
    match lock::is_held(dir) {
        Ok(false) => Reply::NobodyRuns,
        Ok(true) => ask(dir, method, path, body).map_or_else(Reply::NotReached, Reply::Answer),
        Err(error) => Reply::NotReached(format!("{}: {error}", lock_file(dir).display())),
    }
}

fn ask(dir: &Path, method: &str, path: &str, body: &[u8]) -> Result<Answer, String> {
    let file = admin_file(dir);
    let unreadable = |error: String| format!("{}, which says where it listens: {error}", file.display());
    let word = std::fs::read(&file).map_err(|error| unreadable(error.to_string()))?;
    let word: AdminFile = serde_json::from_slice(&word).map_err(|error| unreadable(error.to_string()))?;
    let limit = Duration::from_millis(ANSWER_MAX_MS);
    let fault = |error: std::io::Error| format!("{}: {error}", word.address);
    let stream = TcpStream::connect_timeout(&word.address, limit).map_err(fault)?;
    exchange(stream, limit, &word, method, path, body).map_err(fault)
}

fn exchange(
    mut stream: TcpStream,
    limit: Duration,
    word: &AdminFile,
    method: &str,
    path: &str,
    body: &[u8],
) -> std::io::Result<Answer> {
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    let AdminFile { address, secret } = word;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {secret}\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut bytes = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes)?;
    parse(&bytes).ok_or_else(|| std::io::Error::new(std::io::ErrorKind::InvalidData, "its answer cannot be read"))
}

/// An answer whose body ends with the connection: the relay's own answers have a length and are never chunked.
fn parse(bytes: &[u8]) -> Option<Answer> {
    let split = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..split]).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, body: bytes[split + 4..].to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u8, name: &str) -> NodeRow {
        NodeRow {
            node: NodeId([id; 16]),
            name: name.into(),
            groups: vec![],
            version: String::new(),
            first_seen_s: 0,
            last_seen_s: 0,
            certificate_until_s: 0,
            revoked_s: None,
            quarantined: None,
        }
    }

    #[test]
    fn a_node_is_found_by_its_name_or_enough_of_its_id() {
        let rows = || vec![row(0x2a, "anna"), row(0xb0, "2"), row(0xc0, &NodeId([0x2a; 16]).to_string())];
        let name = |wanted: &str| find(rows(), wanted).map(|row| row.name);
        assert_eq!(name("anna").unwrap(), "anna");
        assert_eq!(name("2a2a").unwrap(), "anna");
        assert_eq!(name("2A2A2").unwrap(), "anna");
        assert_eq!(name("2").unwrap(), "2");
        // Another node is called like this id: the id counts.
        assert_eq!(name(&NodeId([0x2a; 16]).to_string()).unwrap(), "anna");
        for short in ["b", "b0b", ""] {
            let error = name(short).unwrap_err().to_string();
            assert!(error.contains("at least the first 4 digits of its id"), "{error}");
        }
        // Both by name and by id, and one and the same.
        let same = vec![row(0xb0, "b0b0")];
        assert_eq!(find(same, "b0b0").unwrap().node, NodeId([0xb0; 16]));
        let twins = vec![row(1, "twin"), row(2, "twin")];
        assert!(matches!(find(twins, "twin"), Err(RelayError::NoSuchNode(text)) if text.contains("several")));
    }
}
