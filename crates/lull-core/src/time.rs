/// A moment, or a span, in milliseconds. What zero means is the caller's choice; it must never go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub u64);

impl Millis {
    /// The moment `later` milliseconds after this one.
    #[must_use]
    pub const fn plus(self, later: u64) -> Self {
        Self(self.0.saturating_add(later))
    }

    /// Milliseconds from `earlier` to this moment; 0 if it is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
