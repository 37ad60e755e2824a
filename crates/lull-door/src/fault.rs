//! What cannot be done in a home, as faults.

use std::{io, path::Path};

use lull_types::{Code, Fault};

/// A file that could not be read or written.
#[must_use]
pub fn storage(what: &str, path: &Path, error: &io::Error) -> Fault {
    Fault::new(
        Code::Storage,
        format!("cannot {what} {}: {error}; check the disk and who may write there", path.display()),
    )
}

/// A file whose content is not what belongs there.
#[must_use]
pub fn damaged(path: &Path, why: &str) -> Fault {
    let path = path.display();
    Fault::new(
        Code::Storage,
        format!("{path} is damaged ({why}); ask IT for a token and enrol again with `lull node enroll TOKEN --force`"),
    )
}
