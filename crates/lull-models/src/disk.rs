use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use lull_types::Fault;

use crate::{ContentHash, fault};

/// How much is copied or hashed at once, in bytes.
const CHUNK_BYTES: usize = 1 << 20;

/// How far a long piece of work has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    /// Another process writes to the store.
    Waiting,
    /// A file is being copied or hashed.
    File {
        /// Its name.
        name: &'a str,
        /// Bytes done, of all files.
        done: u64,
        /// Bytes to do, of all files.
        total: u64,
    },
}

/// The right to change the store; held by one process at a time.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    fn file(root: &Path) -> Result<(File, PathBuf), Fault> {
        let path = root.join("lock");
        let file = owner_only().create(true).truncate(false).write(true).open(&path);
        file.map(|file| (file, path.clone())).map_err(|error| fault::io("open", &path, &error))
    }

    /// Takes the lock if it is free.
    pub(crate) fn try_take(root: &Path) -> Result<Option<Self>, Fault> {
        let (file, path) = Self::file(root)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(fault::io("lock", &path, &error)),
        }
    }

    /// Takes the lock, however long another process holds it.
    pub(crate) fn take(root: &Path, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Self, Fault> {
        if let Some(lock) = Self::try_take(root)? {
            return Ok(lock);
        }
        progress(Progress::Waiting);
        let (file, path) = Self::file(root)?;
        file.lock().map_err(|error| fault::io("lock", &path, &error))?;
        Ok(Self { _file: file })
    }
}

/// Passes everything from `reader` through the hash to `sink`; gives length and hash.
pub(crate) fn hash_through(
    reader: &mut dyn Read,
    sink: &mut dyn Write,
    on_bytes: &mut dyn FnMut(u64),
) -> io::Result<(u64, ContentHash)> {
    let mut hasher = blake3::Hasher::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut total = 0;
    loop {
        let length = match reader.read(&mut chunk) {
            Ok(0) => return Ok((total, ContentHash(*hasher.finalize().as_bytes()))),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&chunk[..length]);
        sink.write_all(&chunk[..length])?;
        total += length as u64;
        on_bytes(length as u64);
    }
}

/// The hash of a file's content.
pub(crate) fn hash_file(path: &Path, on_bytes: &mut dyn FnMut(u64)) -> Result<(u64, ContentHash), Fault> {
    let hashed = File::open(path).and_then(|mut file| hash_through(&mut file, &mut io::sink(), on_bytes));
    hashed.map_err(|error| fault::io("read", path, &error))
}

/// Writes a new file from `reader`, hashed on the way and safe on the disk when this returns.
pub(crate) fn write_new(
    path: &Path,
    reader: &mut dyn Read,
    on_bytes: &mut dyn FnMut(u64),
) -> Result<(u64, ContentHash), Fault> {
    let written = (|| {
        let mut file = owner_only().create_new(true).write(true).open(path)?;
        let hashed = hash_through(reader, &mut file, on_bytes)?;
        read_only(&file)?;
        file.sync_all()?;
        Ok(hashed)
    })();
    written.map_err(|error| fault::io("write", path, &error))
}

/// A second name for a file; where the disk knows none, a copy.
pub(crate) fn link_or_copy(from: &Path, to: &Path) -> Result<(), Fault> {
    if fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    let copied = fs::copy(from, to).and_then(|_| File::open(to)?.sync_all());
    copied.map_err(|error| fault::io("write", to, &error))
}

/// Makes a folder, with those above it that are missing; other users cannot enter what is made.
pub(crate) fn create_dir(path: &Path) -> Result<(), Fault> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| fault::io("create", path, &error))
}

pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), Fault> {
    fs::rename(from, to).map_err(|error| fault::io("rename to", to, &error))
}

/// Removes a file or a whole folder; nothing there is fine too.
pub(crate) fn remove_all(path: &Path) -> Result<(), Fault> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(fault::io("remove", path, &error)),
        _ => Ok(()),
    }
}

/// The plain names in a folder, sorted; none if there is no such folder.
pub(crate) fn names_in(folder: &Path) -> Result<Vec<String>, Fault> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fault::io("read", folder, &error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| fault::io("read", folder, &error))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Makes renames and links in a folder survive a power cut.
#[cfg(unix)]
pub(crate) fn sync_dir(folder: &Path) -> Result<(), Fault> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| fault::io("write", folder, &error))
}

#[cfg(not(unix))]
pub(crate) fn sync_dir(_: &Path) -> Result<(), Fault> {
    Ok(())
}

/// Opens files that, where they are made, only this user can read and write.
#[cfg(unix)]
fn owner_only() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

#[cfg(not(unix))]
fn owner_only() -> OpenOptions {
    OpenOptions::new()
}

/// Nobody should edit a file that has several names, and nobody else read it.
#[cfg(unix)]
fn read_only(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o400))
}

#[cfg(not(unix))]
fn read_only(_: &File) -> io::Result<()> {
    Ok(())
}
