use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use tokio::net::{UnixListener, UnixStream};

use crate::home::{self, Home};

/// The longest path that every Unix takes for a socket, in bytes.
const PATH_BYTES_MAX: usize = 100;

/// Where callers arrive.
pub(crate) struct Listener {
    listener: UnixListener,
    path: PathBuf,
}

impl Listener {
    /// The caller holds the home's lock, so that a socket found there is left over.
    pub(crate) fn bind(home: &Home) -> io::Result<Self> {
        let (path, note) = (home.socket(), note(home));
        forget(&path)?;
        forget(&note)?;
        let path = if fits(&path) { path } else { elsewhere(&note)? };
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path })
    }

    pub(crate) async fn accept(&mut self) -> io::Result<UnixStream> {
        Ok(self.listener.accept().await?.0)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // What is left over is removed at the next start.
        let _ = fs::remove_file(&self.path);
    }
}

pub(crate) async fn connect(home: &Home) -> io::Result<UnixStream> {
    let path = home.socket();
    if fits(&path) {
        return UnixStream::connect(path).await;
    }
    let noted = home::read(&note(home)).map_err(io::Error::other)?.ok_or(io::ErrorKind::NotFound)?;
    UnixStream::connect(String::from_utf8(noted).map_err(io::Error::other)?).await
}

fn fits(path: &Path) -> bool {
    path.as_os_str().len() <= PATH_BYTES_MAX
}

/// The file that says where the socket is when the home's own path is too long for one.
fn note(home: &Home) -> PathBuf {
    home.path().join("node.sock.at")
}

/// A short path in a fresh folder that is this user's alone, written down in the home.
fn elsewhere(note: &Path) -> io::Result<PathBuf> {
    let name = u64::from_le_bytes(lull_wire::random());
    let folder = std::env::temp_dir().join(format!("lull-{name:016x}"));
    fs::DirBuilder::new().mode(0o700).create(&folder)?;
    let path = folder.join("node.sock");
    let text = path.to_str().filter(|_| fits(&path)).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidFilename, "its path is too long for a socket; choose a shorter LULL_HOME")
    })?;
    home::write(note, text.as_bytes()).map_err(io::Error::other)?;
    Ok(path)
}

fn forget(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
