use lull_types::{Code, Fault};

/// A file of settings or rules that cannot be followed: where, what is wrong, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {problem}; {remedy}")]
pub struct PolicyError {
    /// The file's name, as whoever read it called it.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The character in the line, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub remedy: String,
}

impl From<PolicyError> for Fault {
    fn from(error: PolicyError) -> Self {
        Self::new(Code::Storage, error.to_string())
    }
}
