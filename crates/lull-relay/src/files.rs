use std::{
    fs,
    io::{ErrorKind, Write as _},
    path::Path,
};

use zeroize::Zeroizing;

use crate::RelayError;

/// The largest file of the relay's that is read whole, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> RelayError {
    let path = path.to_owned();
    move |source| RelayError::Io { path, source }
}

pub(crate) fn damaged(path: &Path, detail: impl std::fmt::Display) -> RelayError {
    RelayError::Damaged { path: path.into(), detail: detail.to_string() }
}

fn private_folders() -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Makes the folders that are not there yet; only their owner may enter.
pub(crate) fn make_parents(path: &Path) -> Result<(), RelayError> {
    private_folders().recursive(true).create(path).map_err(io(path))
}

/// Makes a new folder that only its owner may enter.
pub(crate) fn make_folder(path: &Path) -> Result<(), RelayError> {
    match private_folders().create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(RelayError::Exists(path.into())),
        other => other.map_err(io(path)),
    }
}

/// Writes a new file that only its owner may read, and brings it to the disk.
pub(crate) fn write_new(path: &Path, content: &[u8]) -> Result<(), RelayError> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = match options.open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(RelayError::Exists(path.into())),
        other => other.map_err(io(path))?,
    };
    file.write_all(content).and_then(|()| file.sync_all()).map_err(io(path))
}

/// Writes a private file in one step: readers see the old one or the new one.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), RelayError> {
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(io(&new)(error)),
        _ => {}
    }
    write_new(&new, content)?;
    fs::rename(&new, path).map_err(io(path))
}

/// Reads a small text file; a missing one is told together with `hint`.
pub(crate) fn read(path: &Path, hint: &'static str) -> Result<Zeroizing<String>, RelayError> {
    let missing = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => RelayError::Missing { path: path.into(), hint },
        _ => io(path)(error),
    };
    let bytes = fs::metadata(path).map_err(missing)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(damaged(path, format!("{bytes} bytes long")));
    }
    match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::InvalidData => Err(damaged(path, "it is not text")),
        other => other.map(Zeroizing::new).map_err(io(path)),
    }
}

pub(crate) fn to_hex(bytes: &[u8]) -> Zeroizing<String> {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    Zeroizing::new(text)
}

pub(crate) fn from_hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let text = text.trim();
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    let pairs = text.as_bytes().chunks_exact(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(byte).collect::<Option<Vec<u8>>>().map(Zeroizing::new)
}

/// A file that holds 32 secret bytes as text.
pub(crate) fn read_secret(path: &Path, hint: &'static str) -> Result<Zeroizing<[u8; 32]>, RelayError> {
    let bytes = from_hex(&read(path, hint)?).ok_or_else(|| damaged(path, "not hexadecimal"))?;
    let bytes = bytes.as_slice().try_into().map_err(|_| damaged(path, format!("{} bytes long", bytes.len())))?;
    Ok(Zeroizing::new(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_goes_both_ways_and_nothing_else_does() {
        assert_eq!(&**to_hex(&[0, 0xab, 0xff]), "00abff");
        assert_eq!(from_hex("00abff\n").unwrap().as_slice(), [0, 0xab, 0xff]);
        for text in ["0", "zz", "äö", "+1"] {
            assert!(from_hex(text).is_none_or(|bytes| text == "+1" && bytes.as_slice() == [1]), "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_written_is_private_and_never_overwritten() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a");
        make_folder(&inner).unwrap();
        assert!(matches!(make_folder(&inner), Err(RelayError::Exists(_))));
        let file = inner.join("key");
        write_new(&file, b"1").unwrap();
        assert!(matches!(write_new(&file, b"2"), Err(RelayError::Exists(_))));
        replace(&file, b"3").unwrap();
        assert_eq!(&**read(&file, "").unwrap(), "3");
        assert_eq!(fs::metadata(&inner).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
