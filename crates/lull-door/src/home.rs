//! The folder of a node, and its small files.

use std::{
    env,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use lull_types::{Code, Fault};

use crate::fault::{damaged, storage};

/// The folder in which a node keeps everything: `LULL_HOME`.
///
/// Keys are files in it that only its user can read. (The operating system's keychain will take them later.)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home(PathBuf);

impl Home {
    /// The environment variable that names the folder.
    pub const VARIABLE: &'static str = "LULL_HOME";

    /// The folder named by `LULL_HOME`, else Lull's place in the operating system's own data folder.
    ///
    /// # Errors
    /// [`Code::Storage`] when neither is known.
    pub fn locate() -> Result<PathBuf, Fault> {
        if let Some(named) = env::var_os(Self::VARIABLE).filter(|named| !named.is_empty()) {
            return Ok(PathBuf::from(named));
        }
        let unknown = || {
            let text = "this user has no data folder; name one for Lull in the environment variable LULL_HOME";
            Fault::new(Code::Storage, text)
        };
        Ok(directories::ProjectDirs::from("", "", "lull").ok_or_else(unknown)?.data_local_dir().to_owned())
    }

    /// Opens the folder, which is made if it is missing, and closes it to other users.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn open(path: &Path) -> Result<Self, Fault> {
        create_folders(path)?;
        let path = fs::canonicalize(path).map_err(|error| storage("find the folder", path, &error))?;
        private_folder(&path).map_err(|error| storage("close to other users the folder", &path, &error))?;
        Ok(Self(path))
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where models are stored.
    #[must_use]
    pub fn models(&self) -> PathBuf {
        self.0.join("models")
    }

    /// Where workers may leave what does not last.
    #[must_use]
    pub fn scratch(&self) -> PathBuf {
        self.0.join("scratch")
    }

    /// This machine's own key.
    #[must_use]
    pub fn device_key(&self) -> PathBuf {
        self.0.join("device.key")
    }

    /// The key that asks for jobs.
    #[must_use]
    pub fn member_key(&self) -> PathBuf {
        self.0.join("member.key")
    }

    /// The certificate for the way to the relay, and its key.
    #[must_use]
    pub fn transport(&self) -> PathBuf {
        self.0.join("transport.json")
    }

    /// Who this machine is in its organisation.
    #[must_use]
    pub fn node(&self) -> PathBuf {
        self.0.join("node.json")
    }

    /// Where the door is, where its path is not too long.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.0.join("node.sock")
    }

    /// Proves that what an enrolment stores fits: before an invitation is spent on it.
    ///
    /// # Errors
    /// [`Code::Storage`] when the disk is full or refuses to be written.
    pub fn prove_room(&self) -> Result<(), Fault> {
        let probe = self.0.join("room.new");
        remove(&probe)?;
        let written = write_new(&probe, &vec![0x55; ROOM_BYTES]);
        let removed = remove(&probe);
        written.map_err(|error| {
            let text = format!("{} cannot be written: {error}; free some space, then try again", self.0.display());
            Fault::new(Code::Storage, text)
        })?;
        removed
    }

    /// Takes the folder for this process alone, until the result is dropped or the process ends, however it ends.
    ///
    /// # Errors
    /// [`Code::Busy`] when another process has it, [`Code::Storage`].
    pub fn lock(&self) -> Result<HomeLock, Fault> {
        let path = self.0.join("node.lock");
        let file = owner_only().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|error| storage("open", &path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(HomeLock { file }),
            Err(TryLockError::WouldBlock) => Err(Fault::new(
                Code::Busy,
                format!(
                    "a node already runs in {}; stop it first, or give this one its own LULL_HOME",
                    self.0.display()
                ),
            )),
            Err(TryLockError::Error(error)) => Err(storage("lock", &path, &error)),
        }
    }
}

/// What an enrolment stores, at most, in bytes.
const ROOM_BYTES: usize = 64 * 1024;

/// The right to be the one node of a [`Home`].
#[derive(Debug)]
pub struct HomeLock {
    file: File,
}

impl Drop for HomeLock {
    fn drop(&mut self) {
        // Closing alone is not enough: a worker that is being started at this moment still holds a copy of the file.
        // What cannot be unlocked is unlocked by the end of the process.
        let _ = self.file.unlock();
    }
}

/// The longest of the node's own small files, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Reads one of the node's small files; `None` when it is not there.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, Fault> {
    use io::Read;
    let fault = |error: io::Error| storage("read", path, &error);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault(error)),
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(fault)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(damaged(path, "it is far too long"));
    }
    Ok(Some(bytes))
}

/// Replaces one of the node's small files, whole or not at all, readable by this user only.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let fault = |error: io::Error| storage("write", path, &error);
    let fresh = path.with_extension("new");
    remove(&fresh)?;
    let written = write_new(&fresh, bytes).and_then(|()| fs::rename(&fresh, path));
    if written.is_err() {
        // Nobody would ever look at it; the fault that counts is the first.
        let _ = remove(&fresh);
    }
    written.and_then(|()| sync_folder(path)).map_err(fault)
}

/// A new file of this user only, safe on the disk when this returns.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = owner_only().create_new(true).write(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes a folder, with those above it that are missing; other users cannot enter what is made.
pub fn create_folders(path: &Path) -> Result<(), Fault> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| storage("make the folder", path, &error))
}

/// Removes a file if it is there.
pub fn remove(path: &Path) -> Result<(), Fault> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(storage("remove", path, &error)),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn private_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

/// Opens files that, where they are made, only this user can read and write.
#[cfg(unix)]
#[must_use]
pub fn owner_only() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

// Windows: a folder in the user's own profile is closed to other users already.
#[cfg(not(unix))]
fn private_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
#[must_use]
pub fn owner_only() -> OpenOptions {
    OpenOptions::new()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_node_per_home() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(&folder.path().join("a/b")).unwrap();
        let lock = home.lock().unwrap();
        assert_eq!(home.lock().unwrap_err().code, Code::Busy);
        drop(lock);
        home.lock().unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn folder_and_files_are_the_users_own() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(&folder.path().join("home")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(home.path()), 0o700);
        create_folders(&home.scratch().join("slot-0")).unwrap();
        assert_eq!((mode(&home.scratch()), mode(&home.scratch().join("slot-0"))), (0o700, 0o700));
        fs::remove_dir_all(home.scratch()).unwrap();
        drop(home.lock().unwrap());
        assert_eq!(mode(&home.path().join("node.lock")), 0o600);
        fs::remove_file(home.path().join("node.lock")).unwrap();
        write(&home.device_key(), b"one").unwrap();
        write(&home.device_key(), b"two").unwrap();
        assert_eq!(mode(&home.device_key()), 0o600);
        assert_eq!(read(&home.device_key()).unwrap().as_deref(), Some(b"two".as_slice()));
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        home.prove_room().unwrap();
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "the probe is gone");
        fs::create_dir(home.device_key()).unwrap();
        assert_eq!(write(&home.device_key(), b"one").unwrap_err().code, Code::Storage);
        let left: Vec<_> = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["device.key"]);
    }

    #[test]
    fn a_missing_file_is_none_and_a_huge_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(&folder.path().join("none")).unwrap(), None);
        fs::write(folder.path().join("huge"), vec![0; FILE_BYTES_MAX as usize + 1]).unwrap();
        assert_eq!(read(&folder.path().join("huge")).unwrap_err().code, Code::Storage);
    }
}
