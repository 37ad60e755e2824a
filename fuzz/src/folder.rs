use std::{
    fs,
    path::{Path, PathBuf},
};

/// A folder of this process to put model files into.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A fresh folder below `LULL_FUZZ_SCRATCH`, which whoever starts the fuzzers takes away again.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn new() -> Self {
        let below = std::env::var_os("LULL_FUZZ_SCRATCH").map_or_else(std::env::temp_dir, PathBuf::from);
        let folder = below.join(format!("lull-fuzz-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("the scratch folder can be made");
        Self(folder)
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file.
    ///
    /// # Panics
    /// When that fails.
    pub fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.0.join(name), bytes).expect("the scratch folder can be written");
    }

    /// A file's bytes, if it is there.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.0.join(name)).ok()
    }

    /// A file's bytes.
    ///
    /// # Panics
    /// When it is not there.
    #[must_use]
    pub fn get(&self, name: &str) -> Vec<u8> {
        self.find(name).expect("a file that was accepted is there")
    }

    /// Takes a file away, if it is there.
    pub fn remove(&self, name: &str) {
        let _ = fs::remove_file(self.0.join(name));
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// An input that holds several: each is a number, a length as two little-endian bytes, and so many bytes (or what is
/// left of them).
pub fn parts(mut input: &[u8]) -> Vec<(u8, &[u8])> {
    let mut parts = Vec::new();
    while let [number, low, high, rest @ ..] = input {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        let (part, after) = rest.split_at(length);
        parts.push((*number, part));
        input = after;
    }
    parts
}
