use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use lull_net::Authority;
use lull_wire::{
    PublicKey, SecretKey, Signed,
    frame::{self, LENGTH_BYTES},
    identity::{RelayStatement, name_fits},
    random,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    RelayError, clock,
    files::{damaged, from_hex, io, make_folder, make_parents, read, read_secret, to_hex, write_new},
};

/// The longest public address, in bytes.
const ADDRESS_BYTES_MAX: usize = 255;
/// The longest signed statement, in bytes.
const STATEMENT_BYTES_MAX: usize = 16 * 1024;
/// The file in the root's folder that tells the last policy's version.
const POLICY_VERSION: &str = "policy.version";
/// The rights of a folder that let its group or anybody change it.
#[cfg(unix)]
const WRITABLE_BY_OTHERS: u32 = 0o022;
const RUN_INIT: &str = "run `lull relay init DIR --org NAME` first, or give the folder that it made";
const BRING_ROOT: &str =
    "tokens are signed with the root key: bring back the folder `root` that `lull relay init` made";

const RESTORE_BOOKS: &str = "restore it from a backup (it knows who was revoked and which invitations are used)";
const BOOKS: &str = "it should know who was revoked and which invitations are used";

pub(crate) fn root_folder(dir: &Path) -> PathBuf {
    dir.join("root")
}

pub(crate) fn relay_folder(dir: &Path) -> PathBuf {
    dir.join("relay")
}

pub(crate) fn database(dir: &Path) -> PathBuf {
    relay_folder(dir).join("relay.db")
}

/// The database, which must be there: a new one would forget whom it must not let in.
pub(crate) fn existing_database(dir: &Path) -> Result<PathBuf, RelayError> {
    let path = database(dir);
    match fs::metadata(&path) {
        Ok(found) if found.len() == 0 => Err(damaged(&path, format!("it is empty, and {BOOKS}"))),
        Ok(_) => Ok(path),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io(&path)(error)),
        Err(_) if relay_folder(dir).exists() => Err(RelayError::Missing { path, hint: RESTORE_BOOKS }),
        Err(_) => Err(RelayError::Missing { path, hint: RUN_INIT }),
    }
}

pub(crate) fn lock_file(dir: &Path) -> PathBuf {
    relay_folder(dir).join("relay.lock")
}

pub(crate) fn admin_file(dir: &Path) -> PathBuf {
    relay_folder(dir).join("admin.json")
}

/// What both folders know about the organisation: nothing secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct OrgFile {
    org: String,
    public: String,
    root: String,
    statement: String,
}

/// What both folders know about the organisation, checked.
#[derive(Debug, Clone)]
pub(crate) struct Org {
    pub(crate) name: String,
    pub(crate) public: String,
    pub(crate) root: PublicKey,
    pub(crate) statement: Signed<RelayStatement>,
    pub(crate) claims: RelayStatement,
}

impl Org {
    fn load(path: &Path, hint: &'static str) -> Result<Self, RelayError> {
        let file: OrgFile = serde_json::from_str(&read(path, hint)?).map_err(|error| damaged(path, error))?;
        let root = from_hex(&file.root).and_then(|bytes| bytes.as_slice().try_into().ok()).map(PublicKey);
        let root = root.ok_or_else(|| damaged(path, "its root key is not a key"))?;
        let statement =
            from_hex(&file.statement).and_then(|bytes| frame::decode::<Signed<RelayStatement>>(&bytes).ok());
        let statement = statement.ok_or_else(|| damaged(path, "its statement cannot be read"))?;
        let claims = statement.open(&root).map_err(|error| damaged(path, error))?;
        Ok(Self { name: file.org, public: file.public, root, statement, claims })
    }
}

/// The root's folder: needed to create tokens, never by the running relay.
pub(crate) struct RootHome {
    pub(crate) org: Org,
    pub(crate) key: SecretKey,
    /// The version of the last policy that was signed here; 0: none was.
    pub(crate) policy_version: u64,
}

impl RootHome {
    pub(crate) fn load(dir: &Path) -> Result<Self, RelayError> {
        let folder = root_folder(dir);
        let org = Org::load(&folder.join("org.json"), BRING_ROOT)?;
        let path = folder.join("root.key");
        let key = SecretKey::from_bytes(&*read_secret(&path, BRING_ROOT)?);
        if key.public() != org.root {
            return Err(damaged(&path, "it is not the key that org.json names"));
        }
        let path = folder.join(POLICY_VERSION);
        let policy_version = match fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().map_err(|error| damaged(&path, error))?,
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            Err(error) => return Err(io(&path)(error)),
        };
        Ok(Self { org, key, policy_version })
    }

    /// Writes down that a policy of this version was signed.
    pub(crate) fn note_policy(&self, dir: &Path, version: u64) -> Result<(), RelayError> {
        crate::files::replace(&root_folder(dir).join(POLICY_VERSION), format!("{version}\n").as_bytes())
    }
}

/// The running relay's folder.
pub(crate) struct RelayHome {
    pub(crate) org: Org,
    pub(crate) authority: Authority,
    pub(crate) grant_key: SecretKey,
    /// From it follow the pseudonyms and the key of QUIC's stateless resets.
    pub(crate) secret: Zeroizing<[u8; 32]>,
}

impl RelayHome {
    pub(crate) fn load(dir: &Path) -> Result<Self, RelayError> {
        let folder = relay_folder(dir);
        let org = Org::load(&folder.join("org.json"), RUN_INIT)?;
        let authority = load_authority(&folder)?;
        let grant_key = SecretKey::from_bytes(&*read_secret(&folder.join("grant.key"), RUN_INIT)?);
        let secret = read_secret(&folder.join("relay.secret"), RUN_INIT)?;
        if authority.fingerprint() != org.claims.ca_sha256 || grant_key.public() != org.claims.grant_key {
            let text = format!(
                "{}: the relay's keys are not those that root has signed: restore the whole folder from one backup",
                folder.display()
            );
            return Err(RelayError::Inconsistent(text));
        }
        Ok(Self { org, authority, grant_key, secret })
    }
}

/// Makes an organisation: `DIR/root`, which only tokens and policy need, and `DIR/relay`, from which the relay runs.
///
/// `public` is where nodes will find the relay, as `host:port`; it goes into every token.
///
/// # Errors
/// [`RelayError`]. Nothing that is there is ever overwritten.
pub fn init(dir: &Path, org: &str, public: &str) -> Result<(), RelayError> {
    if !name_fits(org) {
        return Err(RelayError::BadRequest("an organisation's name has 1 to 64 printable bytes".into()));
    }
    check_address(public)?;
    let (root_folder, relay_folder) = (root_folder(dir), relay_folder(dir));
    for folder in [&root_folder, &relay_folder] {
        if folder.exists() {
            return Err(RelayError::Exists(folder.clone()));
        }
    }
    let mut making = Making::default();
    if dir.exists() {
        check_private(dir)?;
    } else {
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            make_parents(parent)?;
        }
        make_folder(dir)?;
        making.0.push(dir.into());
    }
    // Whole or not at all: an unfinished organisation has another name.
    let draft = dir.join(format!(".init-{}", &*to_hex(&random::<8>())));
    make_folder(&draft)?;
    making.0.push(draft.clone());
    fill(&draft, org, public)?;
    for (from, to) in [(self::root_folder(&draft), root_folder), (self::relay_folder(&draft), relay_folder)] {
        fs::rename(from, &to).map_err(io(&to))?;
        making.0.push(to);
    }
    making.0.clear();
    fs::remove_dir(&draft).map_err(io(&draft))
}

/// Folders that `init` has made. They go again unless it comes to its end.
#[derive(Default)]
struct Making(Vec<PathBuf>);

impl Drop for Making {
    fn drop(&mut self) {
        for folder in self.0.iter().rev() {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// A folder in which others could exchange the keys is no place for them.
fn check_private(dir: &Path) -> Result<(), RelayError> {
    let found = fs::metadata(dir).map_err(io(dir))?;
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & WRITABLE_BY_OTHERS != 0 {
        return Err(RelayError::Exposed(dir.into()));
    }
    if found.is_dir() { Ok(()) } else { Err(RelayError::Exists(dir.into())) }
}

/// Makes both halves of an organisation below `dir`.
fn fill(dir: &Path, org: &str, public: &str) -> Result<(), RelayError> {
    let (root_folder, relay_folder) = (root_folder(dir), relay_folder(dir));
    let (root, grant_key) = (SecretKey::generate(), SecretKey::generate());
    let authority = Authority::create(org, clock::now_s())?;
    let statement = RelayStatement {
        org: org.into(),
        ca_sha256: authority.fingerprint(),
        grant_key: grant_key.public(),
        serial: 1,
    };
    let file = org_file(org, public, &root, &statement)?;
    make_folder(&root_folder)?;
    write_new(&root_folder.join("root.key"), to_hex(&*root.to_bytes()).as_bytes())?;
    write_new(&root_folder.join("org.json"), &file)?;
    make_folder(&relay_folder)?;
    let (certificate, key) = authority.to_pem();
    write_new(&relay_folder.join("ca.pem"), certificate.as_bytes())?;
    write_new(&relay_folder.join("ca.key"), key.as_bytes())?;
    write_new(&relay_folder.join("grant.key"), to_hex(&*grant_key.to_bytes()).as_bytes())?;
    write_new(&relay_folder.join("relay.secret"), to_hex(&random::<32>()).as_bytes())?;
    write_new(&relay_folder.join("org.json"), &file)?;
    Ok(crate::ledger::create(&database(dir))?)
}

/// The authority; when it cannot be read, a good certificate tells which of its two files is the bad one.
fn load_authority(folder: &Path) -> Result<Authority, RelayError> {
    let (certificate_path, key_path) = (folder.join("ca.pem"), folder.join("ca.key"));
    let (certificate, key) = (read(&certificate_path, RUN_INIT)?, read(&key_path, RUN_INIT)?);
    let error = match Authority::from_pem(&certificate, &key) {
        Ok(authority) => return Ok(authority),
        Err(error) => error,
    };
    let (good, _) = Authority::create("-", clock::now_s())?.to_pem();
    let path = if Authority::from_pem(&good, &key).is_ok() { certificate_path } else { key_path };
    Err(damaged(&path, error))
}

fn org_file(org: &str, public: &str, root: &SecretKey, statement: &RelayStatement) -> Result<Vec<u8>, RelayError> {
    let fault = |error: String| RelayError::BadRequest(error);
    let statement = Signed::sign(statement, root).map_err(|error| fault(error.to_string()))?;
    let statement = frame::encode(&statement, STATEMENT_BYTES_MAX).map_err(|error| fault(error.to_string()))?;
    let file = OrgFile {
        org: org.into(),
        public: public.into(),
        root: root.public().to_string(),
        statement: to_hex(&statement[LENGTH_BYTES..]).to_string(),
    };
    serde_json::to_vec_pretty(&file).map_err(|error| fault(error.to_string()))
}

fn check_address(public: &str) -> Result<(), RelayError> {
    let port =
        public.rsplit_once(':').filter(|(host, _)| !host.is_empty()).and_then(|(_, port)| port.parse::<u16>().ok());
    if port.is_some_and(|port| port > 0) && public.len() <= ADDRESS_BYTES_MAX && !public.contains(char::is_whitespace) {
        return Ok(());
    }
    let text = format!(
        "\"{public}\" is not an address that nodes can use: give it as host:port, such as lull.example.org:5855"
    );
    Err(RelayError::BadRequest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organisation_is_made_once_and_loads_from_its_halves() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("new");
        init(&dir, "Example", "relay.example.org:5855").unwrap();
        assert!(matches!(init(&dir, "Example", "relay.example.org:5855"), Err(RelayError::Exists(_))));
        let root = RootHome::load(&dir).unwrap();
        let relay = RelayHome::load(&dir).unwrap();
        assert_eq!(root.key.public(), relay.org.root);
        std::fs::rename(root_folder(&dir), dir.join("away")).unwrap();
        assert!(RelayHome::load(&dir).is_ok());
        let Err(error) = RootHome::load(&dir) else { panic!("root is away") };
        assert!(error.to_string().contains("bring back the folder"), "{error}");
    }

    #[test]
    fn keys_that_root_has_not_signed_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        init(folder.path(), "Example", "h:1").unwrap();
        let path = relay_folder(folder.path()).join("grant.key");
        crate::files::replace(&path, to_hex(&random::<32>()).as_bytes()).unwrap();
        assert!(matches!(RelayHome::load(folder.path()), Err(RelayError::Inconsistent(_))));
    }

    #[test]
    fn a_damaged_file_is_named_with_the_next_step() {
        let folder = tempfile::tempdir().unwrap();
        init(folder.path(), "Example", "h:1").unwrap();
        for name in ["ca.pem", "ca.key", "org.json", "grant.key", "relay.secret"] {
            let path = relay_folder(folder.path()).join(name);
            let good = fs::read(&path).unwrap();
            for bad in [&b""[..], b"garbage", b"\xff\xfe\x00\x80"] {
                fs::write(&path, bad).unwrap();
                let Err(error) = RelayHome::load(folder.path()) else { panic!("{name} is damaged") };
                assert!(matches!(&error, RelayError::Damaged { path: named, .. } if *named == path), "{name}: {error}");
                assert!(error.to_string().ends_with("restore it from a backup"), "{error}");
            }
            fs::write(&path, good).unwrap();
        }
        assert!(RelayHome::load(folder.path()).is_ok());
    }

    #[test]
    fn a_database_that_is_gone_or_empty_is_not_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let Err(error) = existing_database(folder.path()) else { panic!("nothing is there") };
        assert!(error.to_string().contains("lull relay init"), "{error}");
        init(folder.path(), "Example", "h:1").unwrap();
        assert!(existing_database(folder.path()).is_ok());
        fs::write(database(folder.path()), b"").unwrap();
        assert!(matches!(existing_database(folder.path()), Err(RelayError::Damaged { .. })));
        fs::remove_file(database(folder.path())).unwrap();
        let Err(error) = existing_database(folder.path()) else { panic!("it is away") };
        assert!(error.to_string().contains("relay.db is missing: restore it from a backup"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn the_folder_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("new");
        init(&dir, "Example", "h:1").unwrap();
        assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
        let mut names: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["relay", "root"]);

        let open = folder.path().join("open");
        fs::create_dir(&open).unwrap();
        for mode in [0o777, 0o770, 0o702] {
            fs::set_permissions(&open, fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(init(&open, "Example", "h:1"), Err(RelayError::Exposed(_))), "{mode:o}");
            assert_eq!(fs::read_dir(&open).unwrap().count(), 0);
        }
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
        init(&open, "Example", "h:1").unwrap();
    }

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for good in ["a:1", "[::1]:5855", "127.0.0.1:65535"] {
            assert!(check_address(good).is_ok(), "{good}");
        }
        for bad in ["", "a", ":5", "a:0", "a:65536", "a b:5", "a:"] {
            assert!(check_address(bad).is_err(), "{bad}");
        }
    }
}
