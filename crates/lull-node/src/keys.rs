use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use lull_types::{Code, Fault, KeyView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use lull_door::home::{create_folders, owner_only};

/// What every key begins with, so that people and secret scanners know it.
const PREFIX: &str = "lull_sk_";
/// Randomness in a key, in bytes.
const SECRET_BYTES: usize = 32;
/// The most keys of one node.
const KEYS_MAX: usize = 1000;
/// The longest name of a key, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// The longest key file, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The longest key that is looked at, in bytes.
const PRESENTED_BYTES_MAX: usize = 256;

/// The keys that open the local API. Only their hashes are kept, in `keys.json` in the node's home.
///
/// Several processes may hold the same file: each looks again when it has changed. Clones share what they know.
#[derive(Debug, Clone)]
pub struct Keys {
    home: PathBuf,
    known: Arc<Mutex<Known>>,
}

/// The file's content.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    keys: Vec<Entry>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    created_s: u64,
    /// SHA-256 of the whole key, in base64url.
    sha256: String,
}

/// What was read last, and from which state of the file.
#[derive(Debug)]
struct Known {
    mark: Mark,
    admitted: Result<Vec<(String, [u8; 32])>, Fault>,
}

/// Tells two states of a file apart; every change is a new file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark(Option<(SystemTime, u64, u64)>);

impl Keys {
    /// The keys of the node in `home`. A file that cannot be used admits nobody; see [`Keys::fault`].
    ///
    /// # Errors
    /// [`Code::Storage`] when `home` cannot be made.
    pub fn open(home: &Path) -> Result<Self, Fault> {
        create_folders(home)?;
        let known = Known { mark: Mark(None), admitted: Ok(Vec::new()) };
        let keys = Self { home: home.into(), known: Arc::new(Mutex::new(known)) };
        keys.look();
        Ok(keys)
    }

    /// Makes a key and gives it, this once: `lull_sk_` and 43 characters.
    ///
    /// # Errors
    /// [`Code::BadRequest`] for a bad or taken name, [`Code::Storage`] when the file cannot be read or written.
    pub fn create(&self, name: &str) -> Result<String, Fault> {
        check_name(name)?;
        let _lock = self.lock()?;
        let mut file = self.read()?;
        if file.keys.iter().any(|entry| entry.name == name) {
            let advice = format!("there is a key {name:?} already; give another name, or revoke that key first");
            return Err(Fault::new(Code::BadRequest, advice));
        }
        if file.keys.len() == KEYS_MAX {
            let advice = format!("there are {KEYS_MAX} keys already; revoke some first");
            return Err(Fault::new(Code::BadRequest, advice));
        }
        let key = fresh()?;
        let created_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs());
        file.keys.push(Entry { name: name.into(), created_s, sha256: BASE64_URL_SAFE_NO_PAD.encode(hash(&key)) });
        self.write(&file)?;
        Ok(key)
    }

    /// Every key, by name.
    ///
    /// # Errors
    /// [`Code::Storage`] when the file cannot be used.
    pub fn list(&self) -> Result<Vec<KeyView>, Fault> {
        let keys = self.read()?.keys.into_iter();
        let mut views: Vec<_> = keys.map(|entry| KeyView { name: entry.name, created_s: entry.created_s }).collect();
        views.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(views)
    }

    /// Takes a key back; it opens nothing from now on, in any process.
    ///
    /// # Errors
    /// [`Code::BadRequest`] when there is no such key, [`Code::Storage`] when the file cannot be read or written.
    pub fn revoke(&self, name: &str) -> Result<(), Fault> {
        let _lock = self.lock()?;
        let mut file = self.read()?;
        let before = file.keys.len();
        file.keys.retain(|entry| entry.name != name);
        if file.keys.len() == before {
            let name: String = name.chars().take(80).collect();
            return Err(Fault::new(Code::BadRequest, format!("there is no key {name:?}")));
        }
        self.write(&file)
    }

    /// The name of the key that was presented, if it is one. Compares in constant time.
    #[must_use]
    pub fn check(&self, presented: &str) -> Option<String> {
        if presented.len() > PRESENTED_BYTES_MAX {
            return None;
        }
        let presented = hash(presented);
        self.look();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = None;
        for (name, key) in known.admitted.as_ref().ok()? {
            if bool::from(key.ct_eq(&presented)) {
                found = Some(name);
            }
        }
        found.cloned()
    }

    /// Why nobody is admitted, if the file cannot be used.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.look();
        self.known.lock().unwrap_or_else(PoisonError::into_inner).admitted.as_ref().err().cloned()
    }

    /// Reads the file again if it is not the one that was read last.
    fn look(&self) {
        let mark = self.mark();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.mark != mark || known.admitted.is_err() {
            known.admitted = self.read().and_then(|file| file.admitted(&self.path()));
            known.mark = mark;
        }
    }

    fn path(&self) -> PathBuf {
        self.home.join("keys.json")
    }

    fn mark(&self) -> Mark {
        let metadata = fs::metadata(self.path()).ok();
        Mark(metadata.and_then(|metadata| Some((metadata.modified().ok()?, metadata.len(), inode(&metadata)))))
    }

    fn lock(&self) -> Result<File, Fault> {
        let path = self.home.join("keys.lock");
        let locked = owner_only().create(true).truncate(false).write(true).open(&path).and_then(|file| {
            file.lock()?;
            Ok(file)
        });
        locked.map_err(|error| storage("lock", &path, &error))
    }

    fn read(&self) -> Result<KeyFile, Fault> {
        let path = self.path();
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(KeyFile::default()),
            Err(error) => return Err(storage("read", &path, &error)),
        };
        if !metadata.is_file() {
            return Err(damaged(&path));
        }
        if others_may_write(&metadata) {
            let advice = format!("others may write {}; run: chmod 600 {0}", path.display());
            return Err(Fault::new(Code::Storage, advice));
        }
        let mut text = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut text));
        read.map_err(|error| storage("read", &path, &error))?;
        serde_json::from_slice(&text).map_err(|_| damaged(&path))
    }

    fn write(&self, file: &KeyFile) -> Result<(), Fault> {
        let (path, new) = (self.path(), self.home.join("keys.json.new"));
        let written = (|| {
            let json = serde_json::to_vec_pretty(file)?;
            if let Err(error) = fs::remove_file(&new)
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(error);
            }
            let mut to = owner_only().create_new(true).write(true).open(&new)?;
            to.write_all(&json)?;
            to.sync_all()?;
            fs::rename(&new, &path)?;
            sync_dir(&self.home)
        })();
        written.map_err(|error| {
            // Nobody would ever look at a part of a file; the fault that counts is the first.
            let _ = fs::remove_file(&new);
            storage("write", &path, &error)
        })
    }
}

impl KeyFile {
    fn admitted(self, path: &Path) -> Result<Vec<(String, [u8; 32])>, Fault> {
        let decode = |entry: Entry| {
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(&entry.sha256).ok();
            let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            bytes.map(|bytes| (entry.name, bytes)).ok_or_else(|| damaged(path))
        };
        self.keys.into_iter().map(decode).collect()
    }
}

fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

fn fresh() -> Result<String, Fault> {
    let mut secret = [0; SECRET_BYTES];
    getrandom::fill(&mut secret)
        .map_err(|error| Fault::new(Code::Internal, format!("the system gives no randomness: {error}; try again")))?;
    Ok(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(secret)))
}

fn check_name(name: &str) -> Result<(), Fault> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
    if !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.chars().all(allowed) {
        return Ok(());
    }
    let shown: String = name.chars().take(80).collect();
    Err(Fault::new(
        Code::BadRequest,
        format!(
            "{shown:?} is not a key's name: use 1 to {NAME_BYTES_MAX} letters, digits and \".\", \"_\", \"-\", \"@\", \
             such as notebook"
        ),
    ))
}

fn damaged(path: &Path) -> Fault {
    let path = path.display();
    let advice = format!("{path} is damaged: remove it and create new keys with `lull key create NAME`");
    Fault::new(Code::Storage, advice)
}

fn storage(doing: &str, path: &Path, error: &io::Error) -> Fault {
    Fault::new(Code::Storage, format!("cannot {doing} {}: {error}", path.display()))
}

#[cfg(unix)]
fn others_may_write(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o022 != 0
}

#[cfg(not(unix))]
fn others_may_write(_: &fs::Metadata) -> bool {
    false
}

#[cfg(unix)]
fn inode(metadata: &fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    metadata.ino()
}

#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> u64 {
    0
}

#[cfg(unix)]
fn sync_dir(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_dir(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_key_opens_until_it_is_revoked_in_every_process() {
        let home = home();
        let (here, there) = (Keys::open(home.path()).unwrap(), Keys::open(home.path()).unwrap());
        let key = here.create("notebook").unwrap();
        assert!(key.starts_with(PREFIX) && key.len() == PREFIX.len() + 43, "{key}");
        let other = there.create("server").unwrap();
        for keys in [&here, &there] {
            assert_eq!(keys.check(&key).as_deref(), Some("notebook"));
            assert_eq!(keys.check(&other).as_deref(), Some("server"));
            for wrong in ["", "lull_sk_", &key[1..], &key.to_uppercase(), &format!("{key} "), &"x".repeat(100_000)] {
                assert_eq!(keys.check(wrong), None, "{wrong}");
            }
        }
        let names: Vec<String> = here.list().unwrap().into_iter().map(|view| view.name).collect();
        assert_eq!(names, ["notebook", "server"]);
        there.revoke("notebook").unwrap();
        assert_eq!((here.check(&key), there.check(&key)), (None, None));
        assert_eq!(here.check(&other).as_deref(), Some("server"));
        assert_eq!(here.revoke("notebook").unwrap_err().code, Code::BadRequest);
    }

    #[test]
    fn the_file_holds_no_key_and_is_the_owners() {
        let home = home();
        let keys = Keys::open(home.path()).unwrap();
        let key = keys.create("a").unwrap();
        let text = fs::read_to_string(home.path().join("keys.json")).unwrap();
        assert!(!text.contains(&key[PREFIX.len()..]), "{text}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |name: &str| fs::metadata(home.path().join(name)).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode("keys.json"), mode("keys.lock")), (0o600, 0o600));
            let open = fs::Permissions::from_mode(0o666);
            fs::set_permissions(home.path().join("keys.json"), open).unwrap();
            let stranger = Keys::open(home.path()).unwrap();
            assert_eq!(stranger.check(&key), None);
            assert!(stranger.fault().unwrap().message.contains("chmod 600"));
        }
    }

    #[test]
    fn a_damaged_file_admits_nobody_and_is_not_overwritten() {
        let home = home();
        let keys = Keys::open(home.path()).unwrap();
        let key = keys.create("a").unwrap();
        let path = home.path().join("keys.json");
        let sound = fs::read_to_string(&path).unwrap();
        let spoilt = [
            Vec::new(),
            b"[]".to_vec(),
            vec![0xff, 0x00, 0x80, 0xfe],
            sound.replace("\"sha256\": \"", "\"sha256\": \"A").into_bytes(),
            sound.replace("created_s", "created").into_bytes(),
            sound.repeat(2).into_bytes(),
        ];
        let advice = "keys.json is damaged: remove it and create new keys with `lull key create NAME`";
        for text in spoilt {
            fs::remove_file(&path).unwrap();
            fs::write(&path, &text).unwrap();
            assert_eq!(keys.check(&key), None, "{text:?}");
            let fault = keys.fault().unwrap();
            assert_eq!(fault.code, Code::Storage);
            assert!(fault.message.ends_with(advice), "{fault}");
            assert_eq!(fs::read(&path).unwrap(), text);
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let fault = keys.create("b").unwrap_err();
        assert!(fault.code == Code::Storage && fault.message.ends_with(advice), "a folder: {fault}");
        fs::remove_dir(&path).unwrap();
        fs::write(&path, "{").unwrap();
        assert_eq!(keys.create("b").unwrap_err().code, Code::Storage);
        fs::remove_file(&path).unwrap();
        assert_eq!((keys.check(&key), keys.fault()), (None, None));
        fs::write(&path, sound).unwrap();
        assert_eq!(keys.check(&key).as_deref(), Some("a"), "repaired");
    }

    #[test]
    fn names_are_checked_and_unique() {
        let home = home();
        let keys = Keys::open(home.path()).unwrap();
        keys.create("me@work.example").unwrap();
        for name in ["", "a b", "ü", "me@work.example", &"x".repeat(65)] {
            assert_eq!(keys.create(name).unwrap_err().code, Code::BadRequest, "{name}");
        }
    }

    #[test]
    fn keys_made_at_once_are_all_kept() {
        let home = home();
        let made: Vec<String> = std::thread::scope(|scope| {
            let path = home.path();
            let make = |thread: usize| {
                let keys = Keys::open(path).unwrap();
                (0..10).map(|round| keys.create(&format!("k{thread}-{round}")).unwrap()).collect::<Vec<_>>()
            };
            let threads: Vec<_> = (0..4).map(|thread| scope.spawn(move || make(thread))).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        let keys = Keys::open(home.path()).unwrap();
        assert_eq!(made.iter().filter(|key| keys.check(key).is_some()).count(), 40);
    }
}
