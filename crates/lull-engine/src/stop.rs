/// Watches an answer's text for stop strings, holding back what may be the beginning of one.
#[derive(Debug, Clone, Default)]
pub struct Stops {
    stops: Vec<String>,
    held: String,
}

/// What may be delivered after more text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// Text that is certainly before any stop string.
    pub text: String,
    /// Whether a stop string has been reached: then `text` is the last there is.
    pub stopped: bool,
}

impl Stops {
    /// Empty strings are ignored.
    #[must_use]
    pub fn new(stops: &[String]) -> Self {
        Self { stops: stops.iter().filter(|stop| !stop.is_empty()).cloned().collect(), held: String::new() }
    }

    /// Adds text; gives what may be delivered now.
    pub fn push(&mut self, text: &str) -> Released {
        if self.stops.is_empty() {
            return Released { text: text.to_owned(), stopped: false };
        }
        self.held.push_str(text);
        // The stop that is whole first wins, so that the result never depends on where tokens begin.
        let found = |stop: &String| self.held.find(stop.as_str()).map(|at| (at + stop.len(), at));
        if let Some((_, at)) = self.stops.iter().filter_map(found).min() {
            self.held.truncate(at);
            return Released { text: std::mem::take(&mut self.held), stopped: true };
        }
        let keep_from = self.held.len() - self.longest_beginning();
        let kept = self.held.split_off(keep_from);
        Released { text: std::mem::replace(&mut self.held, kept), stopped: false }
    }

    /// The end came otherwise: what was held back is text after all.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Bytes at the end of `held` that begin a stop string.
    fn longest_beginning(&self) -> usize {
        let longest = |stop: &String| {
            let most = (stop.len() - 1).min(self.held.len());
            (1..=most).rev().find(|&n| stop.is_char_boundary(n) && self.held.ends_with(&stop[..n])).unwrap_or(0)
        };
        self.stops.iter().map(longest).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(stops: &[&str], pieces: &[&str]) -> (Vec<String>, bool, String) {
        let mut watch = Stops::new(&stops.iter().map(ToString::to_string).collect::<Vec<_>>());
        let mut out = Vec::new();
        for piece in pieces {
            let released = watch.push(piece);
            out.push(released.text);
            if released.stopped {
                return (out, true, String::new());
            }
        }
        (out, false, watch.finish())
    }

    #[test]
    fn a_stop_across_tokens_is_found_and_not_delivered() {
        let (out, stopped, _) = run(&["END"], &["one E", "N", "D two"]);
        assert_eq!((out.concat().as_str(), stopped), ("one ", true));
    }

    #[test]
    fn a_false_beginning_is_delivered_later() {
        let (out, stopped, tail) = run(&["END"], &["E", "N", "E", "N"]);
        assert_eq!(out, ["", "", "EN", ""]);
        assert_eq!((stopped, tail.as_str()), (false, "EN"));
    }

    #[test]
    fn the_stop_that_is_whole_first_wins() {
        let (out, stopped, _) = run(&["world", "o w"], &["hello world"]);
        assert_eq!((out.concat().as_str(), stopped), ("hell", true));
        let (out, stopped, _) = run(&["abcd", "c"], &["abcd"]);
        assert_eq!((out.concat().as_str(), stopped), ("ab", true));
    }

    proptest! {
        #[test]
        fn however_it_is_cut_the_text_is_the_same(
            text in "[abß]{0,30}",
            stops in proptest::collection::vec("[abß]{1,4}", 0..3),
            cuts in proptest::collection::vec(0_usize..31, 0..6),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|&at| text.is_char_boundary(at)).collect();
            cuts.push(text.len());
            cuts.sort_unstable();
            let stops: Vec<&str> = stops.iter().map(String::as_str).collect();
            let mut from = 0;
            let pieces: Vec<&str> = cuts.into_iter().map(|to| &text[std::mem::replace(&mut from, to)..to]).collect();
            let characters: Vec<String> = text.chars().map(String::from).collect();
            let one_by_one = run(&stops, &characters.iter().map(String::as_str).collect::<Vec<_>>());
            let (out, stopped, tail) = run(&stops, &pieces);
            let out = out.concat() + &tail;
            prop_assert_eq!(&out, &(one_by_one.0.concat() + &one_by_one.2));
            prop_assert!(text.starts_with(&out));
            prop_assert!(stops.iter().all(|stop| !out.contains(stop)));
            prop_assert_eq!(stopped, stops.iter().any(|stop| text.contains(stop)));
        }
    }
}
