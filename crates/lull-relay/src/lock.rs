use std::{
    fs::{File, OpenOptions, TryLockError},
    io::ErrorKind,
    path::Path,
    time::Duration,
};

use crate::{RelayError, files::io, home::lock_file};

/// How often a lock that is not free is tried: a command that only looks holds it for a moment.
const TRIES_MAX: u32 = 10;
/// How long to wait between two tries, in milliseconds.
const RETRY_MS: u64 = 50;

/// The right to run the relay of a folder: one process has it, and the system takes it back when that process ends.
#[derive(Debug)]
pub(crate) struct RelayLock {
    _file: File,
}

impl RelayLock {
    pub(crate) async fn take(dir: &Path) -> Result<Self, RelayError> {
        let path = lock_file(dir);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(io(&path))?;
        for _ in 0..TRIES_MAX {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::Error(error)) => return Err(io(&path)(error)),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(RETRY_MS)).await,
            }
        }
        Err(RelayError::Running(dir.into()))
    }
}

/// Whether a relay runs from the folder.
pub(crate) fn is_held(dir: &Path) -> std::io::Result<bool> {
    let file = match File::open(lock_file(dir)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        other => other?,
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_relay_has_the_folder_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        std::fs::create_dir(dir.join("relay")).unwrap();
        assert!(!is_held(dir).unwrap());
        let lock = RelayLock::take(dir).await.unwrap();
        assert!(is_held(dir).unwrap());
        assert!(matches!(RelayLock::take(dir).await, Err(RelayError::Running(_))));
        drop(lock);
        assert!(!is_held(dir).unwrap());
        assert!(RelayLock::take(dir).await.is_ok());
    }
}
