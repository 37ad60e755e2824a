use std::{
    fmt::Display,
    io::{self, ErrorKind},
    path::Path,
};

use lull_types::{Code, Fault};

/// The model's files are wrong.
pub(crate) fn broken(message: impl Into<String>) -> Fault {
    Fault::new(Code::ModelBroken, message)
}

/// The model's files are right, and no engine here can run them.
pub(crate) fn unsupported(message: impl Into<String>) -> Fault {
    Fault::new(Code::Unsupported, message)
}

/// Puts the place before the sentence.
pub(crate) fn at(place: impl Display, fault: &Fault) -> Fault {
    Fault::new(fault.code, format!("{place}: {}", fault.message))
}

/// What the system said, with the place and what to do.
pub(crate) fn io(doing: &str, path: &Path, error: &io::Error) -> Fault {
    let path = path.display();
    let advice = match error.kind() {
        ErrorKind::NotFound => "there is no such file or folder; check the path".into(),
        ErrorKind::PermissionDenied => "permission denied; give this user the right to it".into(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "the disk is full; free some space, or set LULL_HOME to another disk".into()
        }
        ErrorKind::ReadOnlyFilesystem => "the disk is read-only; set LULL_HOME to another one".into(),
        _ if is_link_loop(error) => "its symbolic links go round in a circle; give the real file".into(),
        _ => error.to_string(),
    };
    Fault::new(Code::Storage, format!("cannot {doing} {path}: {advice}"))
}

/// `ErrorKind` has no stable name for it yet.
fn is_link_loop(error: &io::Error) -> bool {
    let number = match std::env::consts::OS {
        "linux" => 40,
        "macos" => 62,
        _ => return false,
    };
    error.raw_os_error() == Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_comes_with_what_to_do() {
        for (kind, says) in [
            (ErrorKind::StorageFull, "free some space"),
            (ErrorKind::ReadOnlyFilesystem, "another one"),
            (ErrorKind::PermissionDenied, "the right to it"),
            (ErrorKind::NotFound, "check the path"),
        ] {
            let fault = io("write", Path::new("/models/m"), &kind.into());
            assert_eq!(fault.code, Code::Storage);
            assert!(fault.message.starts_with("cannot write /models/m: ") && fault.message.contains(says), "{fault}");
        }
    }
}
