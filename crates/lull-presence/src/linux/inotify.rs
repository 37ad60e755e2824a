//! Being told when a file or device is opened, closed, made or removed.

use std::{
    collections::BTreeMap,
    io,
    mem::MaybeUninit,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{
    fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
    io::Errno,
};
use tokio::io::unix::AsyncFd;

use super::file::awaited;

/// Opened and closed.
pub(crate) const USE: WatchFlags = WatchFlags::OPEN.union(WatchFlags::CLOSE_WRITE).union(WatchFlags::CLOSE_NOWRITE);
/// Things made, removed, renamed, or made accessible in a folder.
pub(crate) const LIST: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::ATTRIB);

/// Paths that are watched.
pub(crate) struct Watches {
    fd: AsyncFd<OwnedFd>,
    paths: BTreeMap<i32, PathBuf>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Happened {
    /// A watched file was opened.
    Opened(PathBuf),
    /// It was closed by one who had opened it.
    Closed(PathBuf),
    /// In a watched folder, something of this name came, went, or has other permissions.
    Listed(String),
    /// A watched path is gone, or more happened than was kept.
    Lost,
}

impl Watches {
    /// Nothing watched yet.
    pub(crate) fn new() -> io::Result<Self> {
        let fd = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        Ok(Self { fd: awaited(fd)?, paths: BTreeMap::new() })
    }

    /// Watches one more path; one that is watched already stays so.
    pub(crate) fn add(&mut self, path: &Path, what: WatchFlags) -> io::Result<()> {
        let watch = inotify::add_watch(&self.fd, path, what)?;
        self.paths.insert(watch, path.to_owned());
        Ok(())
    }

    /// Waits, and takes all that has happened.
    pub(crate) async fn happened(&mut self) -> io::Result<Vec<Happened>> {
        loop {
            let mut ready = self.fd.readable().await?;
            let mut happened = Vec::new();
            let mut buffer = [MaybeUninit::uninit(); 4096];
            let mut reader = Reader::new(ready.get_inner(), &mut buffer);
            loop {
                let event = match reader.next() {
                    Ok(event) => event,
                    Err(Errno::AGAIN) => break,
                    Err(Errno::INTR) => continue,
                    Err(error) => return Err(error.into()),
                };
                let of = self.paths.get(&event.wd());
                let flags = event.events();
                if flags.contains(ReadFlags::IGNORED) {
                    self.paths.remove(&event.wd());
                    happened.push(Happened::Lost);
                } else if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                    happened.push(Happened::Lost);
                } else if let Some(name) = event.file_name() {
                    happened.push(Happened::Listed(name.to_string_lossy().into_owned()));
                } else if let (true, Some(path)) = (flags.contains(ReadFlags::OPEN), of) {
                    happened.push(Happened::Opened(path.clone()));
                } else if let (true, Some(path)) =
                    (flags.intersects(ReadFlags::CLOSE_WRITE | ReadFlags::CLOSE_NOWRITE), of)
                {
                    happened.push(Happened::Closed(path.clone()));
                }
            }
            ready.clear_ready();
            if !happened.is_empty() {
                return Ok(happened);
            }
        }
    }
}
