//! What Lull takes up on the disk, and how much more models may.

use std::path::Path;

use lull_types::{Code, Fault};

/// So deep are folders looked into; a store is three deep.
const DEPTH_MAX: usize = 16;

/// Whether the models that are here and the one that is to come, at `coming`, stay within `lend.disk_gib`.
///
/// # Errors
/// [`Code::Forbidden`] when they do not.
pub fn check_room(models: &Path, coming: &Path, room_gib: u32) -> Result<(), Fault> {
    fits(files_bytes(models), files_bytes(coming), room_gib)
}

fn fits(here: u64, coming: u64, room_gib: u32) -> Result<(), Fault> {
    if here.saturating_add(coming) <= u64::from(room_gib) << 30 {
        return Ok(());
    }
    let gigabytes = |bytes: u64| format!("{}.{} GB", bytes / 1_000_000_000, bytes % 1_000_000_000 / 100_000_000);
    let (here, coming) = (gigabytes(here), gigabytes(coming));
    let text = format!(
        "the models on this machine take {here}, this one {coming} more, and `lend.disk_gib` allows {room_gib} GiB: \
         remove a model, or allow more in the settings"
    );
    Err(Fault::new(Code::Forbidden, text))
}

/// The size of a file, or of all files below a folder; what cannot be read counts nothing here and fails later.
pub(crate) fn files_bytes(path: &Path) -> u64 {
    bytes_below(path, DEPTH_MAX)
}

fn bytes_below(path: &Path, depth: usize) -> u64 {
    let Ok(found) = std::fs::metadata(path) else { return 0 };
    if !found.is_dir() {
        return found.len();
    }
    let Some(depth) = depth.checked_sub(1) else { return 0 };
    let Ok(entries) = std::fs::read_dir(path) else { return 0 };
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_symlink()))
        .fold(0, |sum: u64, entry| sum.saturating_add(bytes_below(&entry.path(), depth)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_stay_within_their_disk() {
        const GIB: u64 = 1 << 30;
        fits(GIB, GIB, 2).unwrap();
        let fault = fits(GIB, GIB + 1, 2).unwrap_err();
        assert!(fault.code == Code::Forbidden && fault.message.contains("disk_gib"), "{fault}");
        fits(u64::MAX, u64::MAX, u32::MAX).unwrap_err();
    }

    #[test]
    fn a_folder_is_as_large_as_its_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("deeper")).unwrap();
        std::fs::write(folder.path().join("a"), [0; 10]).unwrap();
        std::fs::write(folder.path().join("deeper/b"), [0; 5]).unwrap();
        assert_eq!(files_bytes(folder.path()), 15);
        assert_eq!(files_bytes(&folder.path().join("none")), 0);
    }
}
