use std::fmt;

use lull_types::{Fault, ModelHash};
use serde::{Deserialize, Serialize};

use crate::{ModelName, fault::broken};

/// The file in a stored model's folder that holds its [`Manifest`].
pub const MANIFEST_FILE: &str = "manifest.json";
/// The longest manifest, in bytes.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 1 << 20;
/// The most files in a model.
pub(crate) const FILES_MAX: usize = 1024;
/// The longest name of a model's file, in bytes.
const FILE_NAME_BYTES_MAX: usize = 200;
/// What the model hash begins with, so that no other hash can be mistaken for it.
const HASH_DOMAIN: &[u8] = b"lull model 1\n";

/// What a model is and which files it is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Its name on this machine. Not part of [`Manifest::hash`].
    pub name: ModelName,
    /// How its files are to be read.
    pub format: Format,
    /// The kind of network, such as `llama`.
    pub architecture: String,
    /// How many weights it has, if its files say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<u64>,
    /// Its context, in tokens.
    pub context: u32,
    /// Its licence, as its files state it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// Its files, sorted by path.
    pub files: Vec<ModelFile>,
}

/// How a model's files are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One `.gguf` file with a tokenizer beside it.
    Gguf,
    /// `config.json` with `.safetensors` files.
    Safetensors,
    /// No model: `scripted.json` says what the test engine answers.
    Scripted,
}

impl Format {
    /// The stable text, as it stands in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gguf => "gguf",
            Self::Safetensors => "safetensors",
            Self::Scripted => "scripted",
        }
    }
}

/// One file of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Its plain name in the model's folder.
    pub path: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// BLAKE3 over its content.
    pub blake3: ContentHash,
}

/// BLAKE3 over a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentHash(pub [u8; 32]);

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from(self.0).to_hex())
    }
}

impl From<ContentHash> for String {
    fn from(hash: ContentHash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for ContentHash {
    type Error = blake3::HexError;

    fn try_from(text: String) -> Result<Self, blake3::HexError> {
        blake3::Hash::from_hex(text).map(|hash| Self(*hash.as_bytes()))
    }
}

impl Manifest {
    /// The model's identity: the same wherever the same files are, whatever the model is called there.
    #[must_use]
    pub fn hash(&self) -> ModelHash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(HASH_DOMAIN);
        hasher.update(self.format.as_str().as_bytes());
        hasher.update(b"\n");
        let mut files: Vec<&ModelFile> = self.files.iter().collect();
        files.sort_by(|one, other| one.path.cmp(&other.path));
        for file in files {
            hasher.update(&(file.path.len() as u64).to_le_bytes());
            hasher.update(file.path.as_bytes());
            hasher.update(&file.bytes.to_le_bytes());
            hasher.update(&file.blake3.0);
        }
        ModelHash(*hasher.finalize().as_bytes())
    }

    /// The length of all files, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes))
    }

    /// Whether the parts fit together.
    ///
    /// # Errors
    /// [`lull_types::Code::ModelBroken`], naming what does not.
    pub fn check(&self) -> Result<(), Fault> {
        if self.files.is_empty() || self.files.len() > FILES_MAX {
            return Err(broken(format!("a model has 1 to {FILES_MAX} files, this one {}", self.files.len())));
        }
        if let Some(file) = self.files.iter().find(|file| !is_plain(&file.path)) {
            return Err(broken(format!("{:?} is not a plain file name", file.path)));
        }
        if let Some(pair) = self.files.windows(2).find(|pair| pair[0].path >= pair[1].path) {
            return Err(broken(format!("the files are not sorted, or {:?} is there twice", pair[1].path)));
        }
        Ok(())
    }
}

/// Whether a name can stand in a folder on every system, and leads nowhere else.
pub(crate) fn is_plain(name: &str) -> bool {
    let forbidden = |c: char| c.is_control() || "/\\:*?\"<>|".contains(c);
    let reserved = name.starts_with('.') || name.ends_with(['.', ' ']) || name == MANIFEST_FILE;
    !name.is_empty() && name.len() <= FILE_NAME_BYTES_MAX && !name.contains(forbidden) && !reserved
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(name: &str) -> Manifest {
        let file = |path: &str, byte| ModelFile { path: path.into(), bytes: 3, blake3: ContentHash([byte; 32]) };
        Manifest {
            name: name.parse().unwrap(),
            format: Format::Gguf,
            architecture: "llama".into(),
            parameters: Some(7),
            context: 128,
            license: None,
            files: vec![file("a.gguf", 1), file("tokenizer.json", 2)],
        }
    }

    #[test]
    fn the_hash_knows_the_files_and_not_the_name() {
        let one = manifest("one");
        assert_eq!(one.hash(), manifest("two").hash());
        let changes: [fn(&mut Manifest); 4] = [
            |m| m.format = Format::Safetensors,
            |m| m.files[0].path = "b.gguf".into(),
            |m| m.files[0].bytes = 4,
            |m| m.files[1].blake3.0[31] ^= 1,
        ];
        for change in changes {
            let mut other = one.clone();
            change(&mut other);
            assert_ne!(one.hash(), other.hash());
        }
        // A promise: nodes of other versions must find the same hash.
        assert_eq!(one.hash().short(), "c1fbee38");
    }

    #[test]
    fn a_manifest_survives_its_json_and_refuses_more() {
        let one = manifest("one");
        let json = serde_json::to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<Manifest>(&json).unwrap(), one);
        assert!(json.contains(r#""format":"gguf""#) && !json.contains("license"), "{json}");
        assert!(serde_json::from_str::<Manifest>(&json.replacen("context", "contexts", 1)).is_err());
    }

    #[test]
    fn files_lead_nowhere_else() {
        for path in ["", "..", ".x", "a/b", "a\\b", "c:x", "a\0", "manifest.json", "x.", &"x".repeat(201)] {
            let mut one = manifest("one");
            one.files[0].path = path.into();
            assert!(one.check().is_err(), "{path:?}");
        }
        let mut twice = manifest("one");
        twice.files[1] = twice.files[0].clone();
        assert!(twice.check().is_err());
        assert_eq!(manifest("one").check(), Ok(()));
    }
}
