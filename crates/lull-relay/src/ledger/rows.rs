use lull_types::NodeId;
use serde::{Deserialize, Serialize};

/// A node, as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRow {
    /// Its id.
    pub node: NodeId,
    /// Its name, as its owner gave it.
    pub name: String,
    /// Its groups.
    pub groups: Vec<String>,
    /// Its version of Lull; empty before its first connection.
    pub version: String,
    /// When it joined, in seconds since 1970.
    pub first_seen_s: u64,
    /// When it last connected or left, in seconds since 1970.
    pub last_seen_s: u64,
    /// When its transport certificate ends, in seconds since 1970.
    pub certificate_until_s: u64,
    /// When it was revoked, in seconds since 1970.
    pub revoked_s: Option<u64>,
    /// Why it gets no job, if it is quarantined.
    pub quarantined: Option<String>,
}

/// What one node asked or lent on one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageRow {
    /// The day, counted from 1970-01-01 in UTC.
    pub day: u64,
    /// The node.
    pub node: NodeId,
    /// `asked` or `lent`.
    pub role: String,
    /// Whose share it counted for: a group, or the id of a node in none.
    pub team: String,
    /// The model's name.
    pub model: String,
    /// Jobs settled.
    pub jobs: u64,
    /// Prompt tokens.
    pub prompt_tokens: u64,
    /// Answer tokens.
    pub completion_tokens: u64,
}
