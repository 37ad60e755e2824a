//! Reads `docs/faq.md`: every `###` heading is a question, the one paragraph below it the answer.

use anyhow::{Result, bail, ensure};

/// One question with its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The heading, without its marks.
    pub(crate) question: String,
    /// The paragraph; its lines joined by one space.
    pub(crate) answer: String,
}

/// The most tokens an answer may have.
pub(crate) const MAX_ANSWER_TOKENS: usize = 150;

/// All entries in their order; an error names the first entry that breaks the format.
pub(crate) fn parse(text: &str) -> Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    for section in text.split("\n### ").skip(1) {
        let (heading, body) = section.split_once('\n').unwrap_or((section, ""));
        let question = heading.trim().to_owned();
        let paragraphs: Vec<&str> = body.split("\n\n").map(str::trim).filter(|p| !p.is_empty()).collect();
        ensure!(!question.is_empty(), "an entry of the FAQ has no question");
        let [paragraph] = paragraphs[..] else {
            bail!("\"{question}\" needs one paragraph as its answer, and has {}", paragraphs.len());
        };
        let marks = ["#", "- ", "* ", "|", "```", ">"];
        ensure!(
            !marks.iter().any(|mark| paragraph.starts_with(mark)),
            "the answer of \"{question}\" is not a plain paragraph"
        );
        ensure!(entries.iter().all(|e| e.question != question), "\"{question}\" is asked twice");
        let answer = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        entries.push(Entry { question, answer });
    }
    ensure!(!entries.is_empty(), "the FAQ has no `###` heading");
    Ok(entries)
}

/// Refuses answers of more than [`MAX_ANSWER_TOKENS`], as `count` counts them.
pub(crate) fn check_lengths(entries: &[Entry], count: impl Fn(&str) -> Result<usize>) -> Result<()> {
    for entry in entries {
        let tokens = count(&entry.answer)?;
        ensure!(
            tokens <= MAX_ANSWER_TOKENS,
            "the answer of \"{}\" has {tokens} tokens; {MAX_ANSWER_TOKENS} are allowed",
            entry.question
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_questions_and_answers() {
        let entries = parse("# Title\n\nIntro.\n\n### What?\n\nThat\nthing.\n\n### Why?\n\nSo.\n").unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].question, "What?");
        assert_eq!(entries[0].answer, "That thing.");
    }

    #[test]
    fn refuses_what_is_not_one_paragraph() {
        for (text, complaint) in [
            ("\n### A?\n\nOne.\n\nTwo.\n", "has 2"),
            ("\n### A?\n\n### B?\n\nTwo.\n", "has 0"),
            ("\n### A?\n\n- a list\n", "not a plain paragraph"),
            ("\n### A?\n\nOne.\n\n### A?\n\nTwo.\n", "asked twice"),
            ("nothing", "no `###`"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
    }

    #[test]
    fn refuses_long_answers() {
        let entries = parse("\n### A?\n\nOne two three.\n").unwrap();
        assert!(check_lengths(&entries, |_| Ok(MAX_ANSWER_TOKENS)).is_ok());
        assert!(check_lengths(&entries, |_| Ok(MAX_ANSWER_TOKENS + 1)).is_err());
    }

    #[test]
    fn the_real_page_is_in_order() {
        let entries = parse(include_str!("../../../docs/faq.md")).unwrap();
        assert!(entries.len() >= 120, "{} entries", entries.len());
        assert_eq!(entries[0].question, "What is Lull?");
        assert!(entries.iter().all(|e| e.answer.is_ascii()));
    }
}
