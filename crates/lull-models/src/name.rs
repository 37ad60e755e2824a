use std::{fmt, path::Path, str::FromStr};

use serde::{Deserialize, Serialize};

/// A model's name in the pool and on this machine: also the name of a folder on every system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelName(String);

/// A text broke the rules of [`ModelName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a model name: use 1 to {max} characters of a-z, 0-9, \".\", \"_\" and \"-\", the first one a \
     letter or digit, the last one no dot, such as qwen2.5-7b",
    max = ModelName::BYTES_MAX
)]
pub struct ModelNameError(String);

/// Names that Windows keeps for devices.
const RESERVED: [&str; 4] = ["con", "prn", "aux", "nul"];

impl ModelName {
    /// The longest name, in bytes.
    pub const BYTES_MAX: usize = 64;

    /// The name's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name made from the last part of `path`, without `.gguf`.
    ///
    /// # Errors
    /// When nothing usable is left; the person must choose a name then.
    pub fn from_path(path: &Path) -> Result<Self, ModelNameError> {
        let last = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let stem = last.strip_suffix(".gguf").unwrap_or(&last);
        let tame: String = stem.chars().map(|c| if allowed(c) { c } else { '-' }).take(Self::BYTES_MAX).collect();
        let tame = tame.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).trim_end_matches(['.', '-', '_']);
        tame.parse().map_err(|_| ModelNameError(last.chars().take(80).collect()))
    }
}

const fn allowed(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-')
}

fn is_reserved(text: &str) -> bool {
    let stem = text.split('.').next().unwrap_or_default();
    let numbered =
        |device: &str| stem.strip_prefix(device).is_some_and(|number| matches!(number.as_bytes(), [b'0'..=b'9']));
    RESERVED.contains(&stem) || numbered("com") || numbered("lpt")
}

impl FromStr for ModelName {
    type Err = ModelNameError;

    fn from_str(text: &str) -> Result<Self, ModelNameError> {
        let ends_well = text.starts_with(|c: char| c.is_ascii_alphanumeric()) && !text.ends_with('.');
        if text.len() > Self::BYTES_MAX || !ends_well || !text.chars().all(allowed) || is_reserved(text) {
            return Err(ModelNameError(text.chars().take(80).collect()));
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for ModelName {
    type Error = ModelNameError;

    fn try_from(text: String) -> Result<Self, ModelNameError> {
        text.parse()
    }
}

impl From<ModelName> for String {
    fn from(name: ModelName) -> Self {
        name.0
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_an_alphabet_and_a_bound() {
        for text in ["a", "lull-demo", "qwen2.5_7b-q8", &"x".repeat(64)] {
            assert!(text.parse::<ModelName>().is_ok(), "{text}");
        }
        for text in ["", ".", "..", ".a", "-a", "a.", "A", "a b", "a/b", "ü", "nul", "com1", "nul.x", &"x".repeat(65)]
        {
            assert!(text.parse::<ModelName>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_gives_a_name() {
        for (path, name) in [
            ("/m/Llama-3.2 1B (Q8_0).gguf", "llama-3.2-1b--q8_0"),
            ("lull-demo.Q8_0.GGUF", "lull-demo.q8_0"),
            ("/models/Qwen/", "qwen"),
            ("__x__", "x"),
        ] {
            assert_eq!(ModelName::from_path(Path::new(path)).map(String::from).as_deref(), Ok(name), "{path}");
        }
        for path in ["", "/", "..", "ä.gguf", "nul.gguf"] {
            assert!(ModelName::from_path(Path::new(path)).is_err(), "{path}");
        }
    }
}
