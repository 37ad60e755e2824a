use lull_types::{LendingView, Reason, Until};

/// The owner's word. Nothing but their next one, or the end they named, changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paused {
    /// Until when, in milliseconds since 1970; `None`: until they resume.
    pub until_unix_ms: Option<u64>,
}

impl Paused {
    pub(super) fn view(self) -> LendingView {
        LendingView::Paused {
            until: self.until_unix_ms.map(|unix_ms| Until { unix_ms }),
            words: Reason::Paused.to_string(),
        }
    }
}
