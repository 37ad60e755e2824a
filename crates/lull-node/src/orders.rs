//! What the organisation says to all of its machines, as it lies on the disk: its policy, signed by root, and whom its
//! relay has shut out. What came once outlasts the node and the relay; what is older never takes its place.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use lull_door::home;
use lull_policy::Policy;
use lull_types::{Code, Fault};
use lull_wire::{
    PublicKey, Signed, frame,
    identity::RelayStatement,
    policy::{DenyList, PolicyDocument, PolicyFault},
};

use crate::{Home, clock::now_s, identity::Identity};

/// The longest stored document, in bytes.
const DOCUMENT_BYTES_MAX: usize = 256 * 1024;

/// Whose word counts on this machine, and how new it must be at least.
#[derive(Debug, Clone)]
pub(crate) struct Anchor {
    pub(crate) root: PublicKey,
    pub(crate) statement: RelayStatement,
    /// The version of the policy that this machine must have heard of before it lends.
    pub(crate) floor: u64,
}

/// The policy that counts here now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ruling {
    pub(crate) version: u64,
    /// When it was signed, in seconds since 1970.
    pub(crate) issued_s: u64,
    /// When it ends, in seconds since 1970.
    pub(crate) not_after_s: u64,
    pub(crate) policy: Policy,
}

/// The files of one home in which they lie.
#[derive(Debug, Clone)]
pub(crate) struct OrderFiles {
    home: Home,
    /// The newest policy of root's that this process has seen, whatever could be kept of it.
    newest: Arc<AtomicU64>,
}

impl Anchor {
    pub(crate) fn of(identity: &Identity) -> Self {
        let floor = identity.device.invitation.policy;
        Self { root: identity.root, statement: identity.statement.clone(), floor }
    }
}

impl OrderFiles {
    pub(crate) fn new(home: Home) -> Self {
        Self { home, newest: Arc::default() }
    }

    /// The lowest version that counts: what the invitation demands, or the newest that was ever seen here.
    fn floor(&self, anchor: &Anchor) -> Result<u64, Fault> {
        Ok(anchor.floor.max(self.newest.load(Ordering::Acquire)).max(self.newest_kept()?))
    }

    /// The newest version that was seen here, as it was written down.
    fn newest_kept(&self) -> Result<u64, Fault> {
        let path = self.newest_file();
        let Some(bytes) = home::read(&path)? else { return Ok(0) };
        let version = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse().ok());
        version.ok_or_else(|| damaged(&path, "it is not a version"))
    }

    fn newest_file(&self) -> PathBuf {
        self.home.path().join("policy.newest")
    }

    pub(crate) fn policy_file(&self) -> PathBuf {
        self.home.path().join("policy.signed")
    }

    fn denied_file(&self) -> PathBuf {
        self.home.path().join("denied.signed")
    }

    /// The policy that counts now; `None` where this machine has joined nothing, or its organisation has none.
    ///
    /// # Errors
    /// Why nothing may be lent: a policy that is missing, not root's, over, or cannot be followed.
    pub(crate) fn ruling(&self) -> Result<Option<Ruling>, Fault> {
        let Some(anchor) = Identity::anchor(&self.home)? else { return Ok(None) };
        let Some(document) = self.kept(&anchor)? else {
            let floor = self.floor(&anchor)?;
            if floor == 0 {
                return Ok(None);
            }
            let text = format!(
                "the organisation's policy (version {floor} or later) has not come yet: it comes from the relay at the \
                 next connection"
            );
            return Err(Fault::new(Code::Expired, text));
        };
        let known = self.floor(&anchor)?;
        if document.version < known {
            return Err(unfollowed(&PolicyFault::Rollback { known, got: document.version }));
        }
        self.newest.fetch_max(document.version, Ordering::AcqRel);
        document.check_time(now_s()).map_err(|why| unfollowed(&why))?;
        let PolicyDocument { version, issued_s, not_after_s, text, .. } = document;
        let policy = Policy::parse(&format!("policy version {version}"), &text).map_err(|error| {
            Fault::new(Code::Storage, format!("{error}; this may be a rule that only a newer Lull knows: update it"))
        })?;
        Ok(Some(Ruling { version, issued_s, not_after_s, policy }))
    }

    /// What lies there, if it is root's.
    fn kept(&self, anchor: &Anchor) -> Result<Option<PolicyDocument>, Fault> {
        let Some(signed) = stored::<PolicyDocument>(&self.policy_file())? else { return Ok(None) };
        let opened = PolicyDocument::open(&signed, &anchor.root, &anchor.statement.org, None);
        opened.map(Some).map_err(|why| unfollowed(&why))
    }

    /// Keeps a policy that the relay handed out, if it is root's and none newer is known; whether it is new here.
    ///
    /// # Errors
    /// Why it does not count. What counted before still does.
    pub(crate) fn keep_policy(&self, anchor: &Anchor, signed: &Signed<PolicyDocument>) -> Result<bool, Fault> {
        // What lies there and cannot be read is replaced by what can, if that is new enough.
        let known = self.kept(anchor).ok().flatten();
        let policy = PolicyDocument::open(signed, &anchor.root, &anchor.statement.org, known.as_ref())
            .map_err(|why| refused(&why))?;
        // Where the number cannot be read, a new policy from root is what mends it.
        let floor = self.floor(anchor).unwrap_or(anchor.floor);
        if policy.version < floor {
            return Err(refused(&PolicyFault::Rollback { known: floor, got: policy.version }));
        }
        // From here on nothing older counts, whether this one can be kept or not.
        self.newest.fetch_max(policy.version, Ordering::AcqRel);
        if self.newest_kept().ok() != Some(policy.version) {
            home::write(&self.newest_file(), format!("{}\n", policy.version).as_bytes())?;
        }
        if known.is_some_and(|known| known.version == policy.version) {
            return Ok(false);
        }
        store(&self.policy_file(), signed)?;
        Ok(true)
    }

    /// Whom the organisation has shut out, as far as this machine has heard.
    ///
    /// # Errors
    /// Why that is not known: nobody is believed until the relay has said it again.
    pub(crate) fn denied(&self, anchor: &Anchor) -> Result<Arc<DenyList>, Fault> {
        let path = self.denied_file();
        let Some(signed) = stored::<DenyList>(&path)? else { return Ok(Arc::default()) };
        let list = DenyList::open(&signed, &anchor.statement, 0);
        list.map(Arc::new).map_err(|why| damaged(&path, &why.to_string()))
    }

    /// Keeps a deny-list, if it is the relay's and not older than what is known. One that the disk does not take counts
    /// until this process ends.
    ///
    /// # Errors
    /// Why it does not count. What counted before still does.
    pub(crate) fn keep_denied(
        &self,
        anchor: &Anchor,
        known: Option<&DenyList>,
        signed: &Signed<DenyList>,
    ) -> Result<DenyList, Fault> {
        let version = known.map_or(0, |known| known.version);
        let list = DenyList::open(signed, &anchor.statement, version).map_err(|why| {
            Fault::new(
                Code::BadSeal,
                format!("the relay's list of machines that were shut out does not count: {why}; tell IT"),
            )
        })?;
        if known != Some(&list)
            && let Err(fault) = store(&self.denied_file(), signed)
        {
            tracing::error!(reason = fault.message, "a deny-list cannot be kept");
        }
        Ok(list)
    }

    /// Forgets them: this machine becomes another organisation's.
    pub(crate) fn forget(home: &Home) -> Result<(), Fault> {
        let files = Self::new(home.clone());
        home::remove(&files.policy_file())?;
        home::remove(&files.newest_file())?;
        home::remove(&files.denied_file())
    }
}

fn unfollowed(why: &PolicyFault) -> Fault {
    let code = if *why == PolicyFault::Expired { Code::Expired } else { Code::BadSeal };
    Fault::new(code, format!("the organisation's policy cannot be followed: {why}; IT can push it again"))
}

fn refused(why: &PolicyFault) -> Fault {
    Fault::new(Code::BadSeal, format!("the policy that the relay sent does not count: {why}; tell IT"))
}

fn damaged(path: &Path, why: &str) -> Fault {
    let text = format!("{} is damaged ({why}); the relay sends it again at the next connection", path.display());
    Fault::new(Code::Storage, text)
}

fn stored<T: lull_wire::Document>(path: &Path) -> Result<Option<Signed<T>>, Fault> {
    // Reading a pipe or a device may never end.
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(damaged(path, "it is not a file"));
    }
    let Some(bytes) = home::read(path)? else { return Ok(None) };
    frame::decode(&bytes).map(Some).map_err(|_| damaged(path, "it is not what the relay sent"))
}

fn store<T: lull_wire::Document>(path: &Path, signed: &Signed<T>) -> Result<(), Fault> {
    let bytes = frame::encode(signed, DOCUMENT_BYTES_MAX)
        .map_err(|error| Fault::new(Code::BadFrame, format!("what the relay sent is too long to keep: {error}")))?;
    home::write(path, &bytes[frame::LENGTH_BYTES..])
}

#[cfg(test)]
mod tests {
    use lull_types::NodeId;
    use lull_wire::SecretKey;

    use super::*;

    fn anchor(relay: &SecretKey) -> Anchor {
        let root = SecretKey::generate().public();
        let statement = RelayStatement { org: "Acme".into(), ca_sha256: [0; 32], grant_key: relay.public(), serial: 1 };
        Anchor { root, statement, floor: 0 }
    }

    #[test]
    fn a_damaged_deny_list_lets_nobody_in_until_the_relay_says_it_again() {
        let folder = tempfile::tempdir().unwrap();
        let files = OrderFiles::new(Home::open(folder.path()).unwrap());
        let relay = SecretKey::generate();
        let anchor = anchor(&relay);
        assert_eq!(*files.denied(&anchor).unwrap(), DenyList::default(), "nobody was ever shut out");
        let list = DenyList { version: 7, nodes: vec![NodeId([1; 16])], members: Vec::new() };
        let signed = Signed::sign(&list, &relay).unwrap();
        files.keep_denied(&anchor, None, &signed).unwrap();
        assert_eq!(*files.denied(&anchor).unwrap(), list);
        let mut bytes = fs::read(files.denied_file()).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(files.denied_file(), bytes).unwrap();
        let fault = files.denied(&anchor).unwrap_err();
        assert!(fault.message.contains("denied.signed is damaged"), "{fault}");
        files.keep_denied(&anchor, None, &signed).unwrap();
        assert_eq!(*files.denied(&anchor).unwrap(), list);
    }

    #[test]
    fn a_deny_list_counts_whether_it_can_be_kept_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let files = OrderFiles::new(Home::open(folder.path()).unwrap());
        let relay = SecretKey::generate();
        let anchor = anchor(&relay);
        fs::create_dir(files.denied_file()).unwrap();
        let list = DenyList { version: 7, nodes: vec![NodeId([1; 16])], members: Vec::new() };
        let kept = files.keep_denied(&anchor, None, &Signed::sign(&list, &relay).unwrap()).unwrap();
        assert_eq!(kept, list);
        let older = Signed::sign(&DenyList { version: 6, ..list.clone() }, &relay).unwrap();
        assert!(files.keep_denied(&anchor, Some(&kept), &older).is_err(), "what cannot be kept is not forgotten");
    }
}
