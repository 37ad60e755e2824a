/// Turns token bytes into text, holding back the bytes of a character that is not whole yet.
///
/// The pieces together, with [`Detok::finish`], are what `String::from_utf8_lossy` makes of all bytes together.
#[derive(Debug, Clone, Default)]
pub struct Detok {
    held: Vec<u8>,
}

impl Detok {
    /// Adds a token's bytes; gives the text that has become final.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.held.extend_from_slice(bytes);
        let mut text = String::new();
        let mut rest = self.held.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    rest = &[];
                    break;
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(valid));
                    rest = after;
                    let Some(invalid) = error.error_len() else { break };
                    text.push(char::REPLACEMENT_CHARACTER);
                    rest = &rest[invalid..];
                }
            }
        }
        self.held = rest.to_vec();
        text
    }

    /// The end: half a character becomes U+FFFD.
    pub fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.held)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_character_across_tokens_comes_whole() {
        let mut detok = Detok::default();
        assert_eq!(detok.push(&[b'a', 0xe2, 0x82]), "a");
        assert_eq!(detok.push(&[0xac, b'b']), "€b");
        assert_eq!(detok.finish(), "");
    }

    #[test]
    fn half_a_character_at_the_end_is_replaced() {
        let mut detok = Detok::default();
        assert_eq!(detok.push(&[0xf0, 0x9f, 0x8c]), "");
        assert_eq!(detok.finish(), "\u{fffd}");
    }

    proptest! {
        #[test]
        fn pieces_are_the_lossy_whole(pieces in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..5),
                "[a-zß€🌙]{0,3}".prop_map(String::into_bytes),
                Just(vec![0xf0, 0x9f]), Just(vec![0x8c, 0x99]), Just(vec![0xe2]), Just(vec![0x82, 0xac]),
            ],
            0..20,
        )) {
            let mut detok = Detok::default();
            let mut text: String = pieces.iter().map(|piece| detok.push(piece)).collect();
            text += &detok.finish();
            let whole = pieces.concat();
            prop_assert_eq!(text, String::from_utf8_lossy(&whole));
        }
    }
}
