use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A job's data class: it decides which nodes may see the job.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(type = "string"))]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

/// A label's text broke the rules of [`Label`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a label: use 1 to {max} lower-case letters, digits or hyphens, such as internal",
    max = Label::BYTES_MAX
)]
pub struct LabelError(String);

impl Label {
    /// The longest label, in bytes.
    pub const BYTES_MAX: usize = 32;

    /// Anyone may see it.
    #[must_use]
    pub fn public() -> Self {
        Self("public".into())
    }

    /// What a job has that names no label.
    #[must_use]
    pub fn internal() -> Self {
        Self("internal".into())
    }

    /// The most guarded of the built-in labels.
    #[must_use]
    pub fn confidential() -> Self {
        Self("confidential".into())
    }

    /// Every label that there is; what a label lets a job do is the same in each organisation.
    #[must_use]
    pub fn all() -> [Self; 3] {
        [Self::public(), Self::internal(), Self::confidential()]
    }

    /// The label's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Label {
    fn default() -> Self {
        Self::internal()
    }
}

impl FromStr for Label {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, LabelError> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.is_empty() || text.len() > Self::BYTES_MAX || !text.chars().all(allowed) {
            return Err(LabelError(text.chars().take(80).collect()));
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for Label {
    type Error = LabelError;

    fn try_from(text: String) -> Result<Self, LabelError> {
        text.parse()
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_an_alphabet_and_a_bound() {
        assert!("finance-2".parse::<Label>().is_ok());
        assert!("x".repeat(32).parse::<Label>().is_ok());
        for text in ["", "Secret", "a b", "ü", &"x".repeat(33)] {
            assert!(text.parse::<Label>().is_err(), "{text}");
        }
    }
}
