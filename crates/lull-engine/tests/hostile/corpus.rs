//! A case: the demo model with some of its files changed.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use crate::common::demo;

pub(crate) const GGUF: &str = "lull-demo.Q8_0.gguf";
pub(crate) const TENSORS: &str = "model.safetensors";

/// What must become of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// A fault, whoever notices.
    Refused,
    /// The files' fault, or the template's.
    Broken,
    /// The asker's fault, as the template sees it.
    BadRequest,
    /// The worker dies, with a reason.
    Dies,
    /// An answer, a fault, or the node's clock: what a regular expression costs cannot be seen in it.
    Slow,
    /// A fault or an answer: it may do no harm.
    Anything,
}

pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) format: &'static str,
    /// Files in place of the demo model's, or beside them.
    pub(crate) files: Vec<(&'static str, Vec<u8>)>,
    pub(crate) expect: Expect,
    /// Letters of the question, all alike; where there are none an ordinary one is asked.
    pub(crate) letters: usize,
}

impl Case {
    pub(crate) fn gguf(name: impl Into<String>, bytes: Vec<u8>, expect: Expect) -> Self {
        Self { name: name.into(), format: "gguf", files: vec![(GGUF, bytes)], expect, letters: 0 }
    }

    pub(crate) fn file(name: impl Into<String>, format: &'static str, file: &'static str, bytes: Vec<u8>) -> Self {
        Self { name: name.into(), format, files: vec![(file, bytes)], expect: Expect::Refused, letters: 0 }
    }
}

/// The demo model's files, in a folder of the test's own.
pub(crate) struct Base(HashMap<String, PathBuf>);

impl Base {
    pub(crate) fn new(scratch: &Path) -> Self {
        let folder = scratch.join("base");
        fs::create_dir_all(&folder).unwrap();
        let mut files = HashMap::new();
        for name in [GGUF, TENSORS, "config.json", "tokenizer.json", "tokenizer_config.json"] {
            fs::copy(demo().join(name), folder.join(name)).unwrap();
            files.insert(name.to_owned(), folder.join(name));
        }
        Self(files)
    }

    /// Writes a case's folder: what is not changed is linked.
    pub(crate) fn write(&self, case: &Case, folder: &Path) {
        let other = if case.format == "gguf" { TENSORS } else { GGUF };
        for (name, path) in self.0.iter().filter(|(name, _)| *name != other) {
            if !case.files.iter().any(|(changed, _)| changed == name) {
                fs::hard_link(path, folder.join(name)).unwrap();
            }
        }
        for (name, bytes) in &case.files {
            fs::write(folder.join(name), bytes).unwrap();
        }
    }
}

/// A file of the demo model.
pub(crate) fn original(name: &str) -> Vec<u8> {
    fs::read(demo().join(name)).unwrap()
}

/// Numbers that look random and are the same in every run.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From 0 to below `sides` (splitmix64).
    pub(crate) const fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    /// A copy with one to four bytes changed among the first `within`.
    pub(crate) fn harm(&mut self, bytes: &[u8], within: usize) -> Vec<u8> {
        let mut harmed = bytes.to_vec();
        for _ in 0..=self.roll(4) {
            let at = self.roll(within.min(bytes.len()));
            harmed[at] = self.roll(256) as u8;
        }
        harmed
    }

    /// A copy with one to four bytes overwritten by others of it, which leaves a text more or less one.
    pub(crate) fn shuffle(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut harmed = bytes.to_vec();
        for _ in 0..=self.roll(4) {
            let (to, from) = (self.roll(bytes.len()), self.roll(bytes.len()));
            harmed[to] = bytes[from];
        }
        harmed
    }
}
