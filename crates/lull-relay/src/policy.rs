//! The organisation's policy: signed where the root key is, kept in the ledger, handed out by the relay that runs.

use std::{
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use lull_policy::Policy;
use lull_types::{Fault, NodeId};
use lull_wire::{
    Signed,
    policy::{POLICY_TEXT_BYTES_MAX, PolicyDocument},
};
use serde::Serialize;

use crate::{
    RelayError,
    actor::Following,
    admin::{self, Reply},
    clock,
    home::RootHome,
    ledger,
};

/// How long a policy counts unless told otherwise, in days: a machine that is kept from hearing of a newer one lends no
/// longer than this.
pub const POLICY_DAYS: u32 = 90;
/// The longest that a policy may count, in days.
pub const POLICY_DAYS_MAX: u32 = 3 * 366;
/// How often a running relay is asked how far a policy has come, in milliseconds.
const ASK_EVERY_MS: u64 = 20;

/// What became of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pushed {
    /// Its version.
    pub version: u64,
    /// When it ends, in seconds since 1970.
    pub not_after_s: u64,
    /// How far it has come; `None` when no relay runs: it counts from the next start.
    pub reach: Option<Reach>,
}

/// How far a policy has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reach {
    /// Nodes that are connected.
    pub connected: usize,
    /// Those of them that follow it.
    pub following: usize,
    /// Those that cannot, and why.
    pub faults: Vec<(NodeId, Fault)>,
    /// How long that took, in milliseconds, by the clock of this command.
    pub took_ms: u64,
}

/// The policy that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Its version.
    pub version: u64,
    /// When it was signed, in seconds since 1970.
    pub issued_s: u64,
    /// When it ends, in seconds since 1970.
    pub not_after_s: u64,
    /// Its rules, in one form.
    pub text: String,
}

/// Signs the rules in `text`, good for `days`, and hands them to the relay. If one runs, waits up to `wait` for every
/// connected node to follow them. Needs `DIR/root` and `DIR/relay`; `file` is the text's name in errors.
///
/// # Errors
/// [`RelayError::BadRequest`] when the rules cannot be followed, or the time is out of bounds; [`RelayError`] else.
pub fn push(dir: &Path, file: &str, text: &str, days: u32, wait: Duration) -> Result<Pushed, RelayError> {
    let bad = RelayError::BadRequest;
    let policy = Policy::parse(file, text).map_err(|error| bad(error.to_string()))?;
    if !(1..=POLICY_DAYS_MAX).contains(&days) {
        return Err(bad(format!("a policy counts for 1 to {POLICY_DAYS_MAX} days, not {days}")));
    }
    let text = policy.to_string();
    if text.len() > POLICY_TEXT_BYTES_MAX {
        return Err(bad(format!("a policy has at most {POLICY_TEXT_BYTES_MAX} bytes, this one {}", text.len())));
    }
    let root = RootHome::load(dir)?;
    let db = admin::open(dir)?;
    let (now_s, by) = (clock::now_s(), admin::administrator());
    let sign = |db: &_| {
        let known = known_version(db, &root)?;
        let policy = PolicyDocument {
            org: root.org.name.clone(),
            version: known + 1,
            issued_s: now_s,
            not_after_s: now_s + u64::from(days) * 86_400,
            text: text.clone(),
        };
        let signed = Signed::sign(&policy, &root.key).map_err(|error| bad(error.to_string()))?;
        Ok::<_, RelayError>((signed, policy))
    };
    let (signed, policy) = sign(&db)?;
    // Written down where it was signed first: no two policies ever have one version.
    root.note_policy(dir, policy.version)?;
    let kept = ledger::in_transaction(&db, |db| ledger::push_policy(db, &signed, &policy, now_s, &by));
    if !kept.map_err(admin::ledger_fault)? {
        return Err(bad("another policy was pushed at the same moment: look at it, and push again".into()));
    }
    let PolicyDocument { version, not_after_s, .. } = policy;
    Ok(Pushed { version, not_after_s, reach: reach(dir, version, wait)? })
}

/// The highest version that is known here: the ledger may have been restored from a backup.
fn known_version(db: &lull_store::rusqlite::Connection, root: &RootHome) -> Result<u64, RelayError> {
    let Some(signed) = ledger::policy(db).map_err(admin::ledger_fault)? else { return Ok(root.policy_version) };
    let policy = PolicyDocument::open(&signed, &root.org.root, &root.org.name, None);
    let policy =
        policy.map_err(|error| RelayError::Inconsistent(format!("the policy in the relay's database: {error}")))?;
    Ok(policy.version.max(root.policy_version))
}

/// Tells the running relay, and waits until every node follows.
fn reach(dir: &Path, version: u64, wait: Duration) -> Result<Option<Reach>, RelayError> {
    let began = Instant::now();
    match admin::call(dir, "POST", "/admin/look", b"") {
        Reply::NobodyRuns => return Ok(None),
        Reply::Answer(answer) if answer.status == 204 => {}
        Reply::Answer(answer) => return Err(RelayError::NotReached(format!("it answered {}", answer.status))),
        Reply::NotReached(why) => return Err(RelayError::NotReached(why)),
    }
    loop {
        let following = following(dir)?;
        let all = following.version >= version && following.following + following.faults.len() >= following.connected;
        if all || began.elapsed() >= wait {
            let Following { connected, following, faults, .. } = following;
            let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            return Ok(Some(Reach { connected, following, faults, took_ms }));
        }
        sleep(Duration::from_millis(ASK_EVERY_MS));
    }
}

fn following(dir: &Path) -> Result<Following, RelayError> {
    match admin::call(dir, "GET", "/admin/policy", b"") {
        Reply::Answer(answer) if answer.status == 200 => {
            serde_json::from_slice(&answer.body).map_err(|error| RelayError::NotReached(error.to_string()))
        }
        Reply::Answer(answer) => Err(RelayError::NotReached(format!("it answered {}", answer.status))),
        Reply::NobodyRuns => Err(RelayError::NotReached("it has just stopped".into())),
        Reply::NotReached(why) => Err(RelayError::NotReached(why)),
    }
}

/// The policy that counts, if there is one.
///
/// # Errors
/// [`RelayError`] when the database cannot be read.
pub fn standing(dir: &Path) -> Result<Option<Standing>, RelayError> {
    let signed = ledger::policy(&admin::open(dir)?).map_err(admin::ledger_fault)?;
    let claims = signed.map(|signed| signed.claims()).transpose();
    let claims =
        claims.map_err(|error| RelayError::Inconsistent(format!("the policy in the relay's database: {error}")))?;
    Ok(claims.map(|PolicyDocument { version, issued_s, not_after_s, text, .. }| Standing {
        version,
        issued_s,
        not_after_s,
        text,
    }))
}

/// The version that whoever joins from now on must have heard of; 0 without a policy.
pub(crate) fn floor(dir: &Path) -> Result<u64, RelayError> {
    let signed = RootHome::load(dir)?.policy_version;
    if !crate::home::database(dir).exists() {
        return Ok(signed);
    }
    Ok(standing(dir)?.map_or(0, |standing| standing.version).max(signed))
}
