/// The tokens of a model: their bytes, and which of them end an answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vocabulary {
    bytes: Vec<Box<[u8]>>,
    ends: Vec<u32>,
    strips_first_space: bool,
}

impl Vocabulary {
    /// `bytes[id]` is what a token writes: nothing for control tokens. `ends` are the ids that end an answer.
    /// Ends outside the vocabulary are dropped.
    #[must_use]
    pub fn new(bytes: Vec<Box<[u8]>>, mut ends: Vec<u32>) -> Self {
        ends.retain(|&id| (id as usize) < bytes.len());
        ends.sort_unstable();
        ends.dedup();
        Self { bytes, ends, strips_first_space: false }
    }

    /// For tokenisers that put a space before the first word: an answer's very first space is not text.
    #[must_use]
    pub fn stripping_first_space(mut self, strips: bool) -> Self {
        self.strips_first_space = strips;
        self
    }

    /// How many tokens there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What a token writes; nothing for an id outside the vocabulary.
    #[must_use]
    pub fn bytes(&self, id: u32) -> &[u8] {
        self.bytes.get(id as usize).map_or(&[], |bytes| bytes)
    }

    /// What a token writes at a place of the answer.
    #[must_use]
    pub fn bytes_at(&self, id: u32, position: u32) -> &[u8] {
        let bytes = self.bytes(id);
        if position == 0 && self.strips_first_space { bytes.strip_prefix(b" ").unwrap_or(bytes) } else { bytes }
    }

    /// Whether a token ends an answer.
    #[must_use]
    pub fn is_end(&self, id: u32) -> bool {
        self.ends.binary_search(&id).is_ok()
    }

    /// The tokens that end an answer, ascending.
    #[must_use]
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }
}
