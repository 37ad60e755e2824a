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
    identity::{GROUPS_MAX, Invitation, name_fits},
    random,
};
use serde::Serialize;

pub use crate::ledger::{NodeRow, UsageRow};
use crate::{
    RelayError, clock,
    home::{RootHome, admin_file, database},
    http::{AdminFile, RevokeBody},
    ledger::{self, LedgerError},
};

/// The most devices that one token may bring in.
pub const USES_MAX: u32 = 100_000;
/// The longest that a token may last, in seconds.
pub const TTL_MAX_S: u64 = 366 * 86_400;
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
    /// Whether it is connected now; `None` when no relay runs that could say.
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

/// Makes a token for `uses` devices, good for `ttl_s` seconds. Needs `DIR/root` only.
///
/// # Errors
/// [`RelayError`] when the root's folder is away, or a bound is broken.
pub fn token_create(dir: &Path, groups: &[String], uses: u32, ttl_s: u64) -> Result<Token, RelayError> {
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
    let root = RootHome::load(dir)?;
    let key = SecretKey::generate();
    let invitation = Invitation {
        id: random(),
        groups: groups.to_vec(),
        uses,
        not_after_s: clock::now_s().saturating_add(ttl_s),
        key: key.public(),
    };
    let invitation = Signed::sign(&invitation, &root.key).map_err(|error| RelayError::BadRequest(error.to_string()))?;
    Ok(Token::new(root.org.public, root.org.root, root.org.statement, invitation, &key))
}

/// All nodes that ever enrolled, by name.
///
/// # Errors
/// [`RelayError`] when the database cannot be read.
pub fn nodes(dir: &Path) -> Result<Vec<NodeView>, RelayError> {
    let rows = ledger::nodes(&open(dir)?).map_err(ledger_fault)?;
    let connected: Option<Vec<NodeId>> = call(dir, "GET", "/admin/connected", b"")
        .and_then(Result::ok)
        .filter(|answer| answer.status == 200)
        .and_then(|answer| serde_json::from_slice(&answer.body).ok());
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
    ledger::revoke(&db, node, clock::now_s()).map_err(ledger_fault)?;
    let rows = ledger::nodes(&db).map_err(ledger_fault)?;
    let row = find(rows, &node.to_string())?;
    let body = serde_json::to_vec(&RevokeBody { node }).map_err(|error| RelayError::BadRequest(error.to_string()))?;
    match call(dir, "POST", "/admin/revoke", &body) {
        None => Ok(Revoked { row, live: false }),
        Some(Ok(answer)) if answer.status == 204 => Ok(Revoked { row, live: true }),
        Some(Ok(answer)) => Err(RelayError::NotReached(format!("it answered {}", answer.status))),
        Some(Err(error)) => Err(RelayError::NotReached(error.to_string())),
    }
}

/// What nodes asked and lent, by day, team and model.
///
/// # Errors
/// [`RelayError`] when the database cannot be read.
pub fn usage(dir: &Path) -> Result<Vec<UsageRow>, RelayError> {
    ledger::usage(&open(dir)?).map_err(ledger_fault)
}

fn open(dir: &Path) -> Result<Connection, RelayError> {
    let path = database(dir);
    if !path.exists() {
        let hint = "give the folder that `lull relay init` made";
        return Err(RelayError::Missing { path, hint });
    }
    Ok(ledger::open(&path)?)
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function for map_err")]
fn ledger_fault(error: lull_store::rusqlite::Error) -> RelayError {
    LedgerError::Database(error.to_string()).into()
}

fn find(rows: Vec<NodeRow>, wanted: &str) -> Result<NodeRow, RelayError> {
    let by_id: Vec<&NodeRow> =
        rows.iter().filter(|row| wanted.len() >= 4 && row.node.to_string().starts_with(wanted)).collect();
    let by_name: Vec<&NodeRow> = rows.iter().filter(|row| row.name == wanted).collect();
    match (by_id.as_slice(), by_name.as_slice()) {
        ([row], []) | ([], [row]) => Ok((*row).clone()),
        ([], []) => Err(RelayError::NoSuchNode(format!(
            "no node is called \"{wanted}\": `lull admin nodes` lists them, by name and id"
        ))),
        _ => Err(RelayError::NoSuchNode(format!("\"{wanted}\" could be several nodes: give the whole id"))),
    }
}

struct Answer {
    status: u16,
    body: Vec<u8>,
}

/// Asks the running relay; `None` when none runs.
fn call(dir: &Path, method: &str, path: &str, body: &[u8]) -> Option<std::io::Result<Answer>> {
    let word = std::fs::read(admin_file(dir)).ok()?;
    let word: AdminFile = serde_json::from_slice(&word).ok()?;
    let limit = Duration::from_millis(ANSWER_MAX_MS);
    let stream = match TcpStream::connect_timeout(&word.address, limit) {
        // The file outlived its relay.
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => return None,
        Err(error) => return Some(Err(error)),
        Ok(stream) => stream,
    };
    Some(exchange(stream, limit, &word, method, path, body))
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
