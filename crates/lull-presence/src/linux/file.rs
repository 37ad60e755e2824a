//! Small files of the kernel's that are read again and again.

use std::{
    fs::File,
    io::{self, ErrorKind},
    os::{fd::OwnedFd, unix::fs::FileExt as _},
    path::PathBuf,
};

use tokio::io::unix::AsyncFd;

/// The most that is read of one file, in bytes.
const BYTES_MAX: usize = 64 * 1024;

/// One file with its buffer; it stays open between readings.
pub(crate) struct Reread {
    path: PathBuf,
    file: Option<File>,
    buffer: Vec<u8>,
    want: usize,
}

impl Reread {
    /// Of `path`; only its first `want` bytes matter.
    pub(crate) fn new(path: PathBuf, want: usize) -> Self {
        Self { path, file: None, buffer: Vec::new(), want: want.min(BYTES_MAX) }
    }

    /// The path.
    pub(crate) fn path(&self) -> String {
        self.path.display().to_string()
    }

    /// What is in it now.
    pub(crate) fn read(&mut self) -> io::Result<&[u8]> {
        // A file that went and came back is another one: once is tried again.
        let length = match self.fill() {
            Err(_) => self.fill(),
            filled => filled,
        }?;
        Ok(self.buffer.get(..length).unwrap_or_default())
    }

    fn fill(&mut self) -> io::Result<usize> {
        self.buffer.resize(self.want, 0);
        let file = match self.file.take() {
            Some(file) => file,
            None => File::open(&self.path)?,
        };
        let mut filled = 0;
        while let Some(rest) = self.buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.file = Some(file);
        Ok(filled)
    }
}

/// A descriptor whose readiness can be awaited.
#[expect(deprecated, reason = "its successor is unsafe code for the sake of types that do not own what they hold")]
pub(crate) fn awaited(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(fd)
}

/// A number in decimal, as the kernel writes it.
pub(crate) fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

/// The words of a line.
pub(crate) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}
