//! A second reader of GGUF: it checks nothing on its way, and so shares no mistake with those that do.

/// Reads forwards; a file that was accepted cannot end too soon.
struct Cursor<'a>(&'a [u8], usize);

impl Cursor<'_> {
    fn number(&mut self, bytes: usize) -> u64 {
        let at = self.skip(bytes as u64);
        let mut number = [0; 8];
        number[..bytes].copy_from_slice(&self.0[at..at + bytes]);
        u64::from_le_bytes(number)
    }

    fn skip(&mut self, bytes: u64) -> usize {
        let at = self.1;
        self.1 += usize::try_from(bytes).expect("a length within the file");
        assert!(self.1 <= self.0.len(), "an accepted header goes beyond the file");
        at
    }

    fn text(&mut self) -> &[u8] {
        let length = self.number(8);
        let at = self.skip(length);
        &self.0[at..self.1]
    }

    /// Skips a value; gives it if it is a whole number.
    fn value(&mut self, kind: u64) -> Option<u64> {
        match kind {
            0 | 1 | 7 => Some(self.number(1)),
            2 | 3 => Some(self.number(2)),
            4 | 5 => Some(self.number(4)),
            6 => self.skipped(4),
            10 | 11 => Some(self.number(8)),
            12 => self.skipped(8),
            8 => {
                self.text();
                None
            }
            9 => {
                let (kind, count) = (self.number(4), self.number(8));
                for _ in 0..count {
                    self.value(kind);
                }
                None
            }
            kind => panic!("an accepted header holds a value of the unknown type {kind}"),
        }
    }

    fn skipped(&mut self, bytes: u64) -> Option<u64> {
        self.skip(bytes);
        None
    }
}

/// Numbers in a block of a tensor type, and its bytes, as the format has them.
fn block(kind: u64) -> (u128, u128) {
    match kind {
        0 => (1, 4),
        1 | 30 => (1, 2),
        2 => (32, 18),
        3 => (32, 20),
        6 => (32, 22),
        7 => (32, 24),
        8 => (32, 34),
        9 => (32, 36),
        10 => (256, 84),
        11 => (256, 110),
        12 => (256, 144),
        13 => (256, 176),
        14 => (256, 210),
        15 => (256, 292),
        kind => panic!("a tensor of the unknown type {kind} was accepted"),
    }
}

/// A file whose header was accepted: every tensor lies within it.
///
/// # Panics
/// When one does not.
pub fn assert_gguf_fits(file: &[u8]) {
    let mut cursor = Cursor(file, 8);
    let (tensors, entries) = (cursor.number(8), cursor.number(8));
    let mut alignment = 32;
    for _ in 0..entries {
        let is_alignment = cursor.text() == b"general.alignment";
        let kind = cursor.number(4);
        match cursor.value(kind) {
            Some(bytes) if is_alignment => alignment = bytes,
            _ => {}
        }
    }
    let mut ends = Vec::new();
    for _ in 0..tensors {
        cursor.text();
        let dimensions = cursor.number(4);
        let numbers = (0..dimensions).fold(1_u128, |product, _| product * u128::from(cursor.number(8)));
        let (block, bytes) = block(cursor.number(4));
        assert_eq!(numbers % block, 0, "a tensor of half a block was accepted");
        ends.push(u128::from(cursor.number(8)) + numbers / block * bytes);
    }
    let data = (cursor.1 as u64).next_multiple_of(alignment);
    for end in ends {
        assert!(u128::from(data) + end <= file.len() as u128, "a tensor beyond the file's end was accepted");
    }
}
