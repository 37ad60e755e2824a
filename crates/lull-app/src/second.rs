//! One app per home: who comes second asks the first to show itself.

use std::{
    fs::{File, TryLockError},
    path::Path,
    time::{Duration, Instant},
};

use lull_door::{Home, NodeApi as _, RemoteNode, fault::storage, home::owner_only};
use lull_types::{Fault, Request};

/// How long the first may take to open its door.
const DOOR_WITHIN: Duration = Duration::from_secs(15);
/// How often to try it.
const TRY_EVERY: Duration = Duration::from_millis(100);

/// Whose turn it is.
pub(crate) enum Turn {
    /// This process is the app, as long as it holds this.
    First(File),
    /// Another one is.
    Second,
}

/// Takes the home's one app, if nobody has it.
pub(crate) fn turn(home: &Home) -> Result<Turn, Fault> {
    let path = home.path().join("app.lock");
    let file = owner_only().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| storage("open", &path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(Turn::First(file)),
        Err(TryLockError::WouldBlock) => Ok(Turn::Second),
        Err(TryLockError::Error(error)) => Err(storage("lock", &path, &error)),
    }
}

/// Has the first show its window.
pub(crate) async fn show(home: &Path) -> Result<(), Fault> {
    let until = Instant::now() + DOOR_WITHIN;
    loop {
        match RemoteNode::connect(home).await {
            Ok(node) => return node.call(Request::Show { page: None }).await.map(|_| ()),
            Err(fault) if Instant::now() >= until => return Err(fault),
            Err(_) => tokio::time::sleep(TRY_EVERY).await,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn one_app_per_home() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let first = turn(&home).unwrap();
        assert!(matches!(first, Turn::First(_)));
        assert!(matches!(turn(&home).unwrap(), Turn::Second));
        drop(first);
        assert!(matches!(turn(&home).unwrap(), Turn::First(_)));
    }
}
