use lull_types::Reason;

/// Forbidden, not agreed to, or impossible. Signals cannot change that; a pause is remembered beneath it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Off {
    /// Why.
    pub reason: Reason,
}
