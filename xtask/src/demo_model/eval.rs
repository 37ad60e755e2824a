//! How many questions of the FAQ a model answers word for word.

use anyhow::Result;
use candle_core::IndexOp;

use super::faq::Entry;
use super::net::{Batch, Net};
use super::tokens::{Codec, render};

/// The outcome for a list of questions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Score {
    pub(crate) asked: usize,
    /// The questions that were not answered word for word.
    pub(crate) missed: Vec<String>,
    /// By how much the right token led the next one, where it led least.
    pub(crate) least_lead: f32,
}

impl Score {
    /// The share of word-for-word answers, in percent with two decimals.
    pub(crate) fn percent(&self) -> f64 {
        let exact = self.asked - self.missed.len();
        (exact as f64 * 10_000.0 / self.asked.max(1) as f64).floor() / 100.0
    }
}

const BATCH: usize = 16;

/// Greedy decoding gives an answer word for word exactly if, along that answer, every token and the end is the most
/// likely one; so one pass over each whole answer says what token-by-token decoding would.
pub(crate) fn score(net: &Net, codec: &Codec, template: &str, entries: &[Entry]) -> Result<Score> {
    let mut score = Score { asked: entries.len(), least_lead: f32::INFINITY, ..Score::default() };
    for group in entries.chunks(BATCH) {
        let mut samples = Vec::new();
        for entry in group {
            let prompt = codec.encode(&render(template, &[("user", &entry.question)])?)?;
            samples.push((prompt, codec.answer(&entry.answer)?));
        }
        let time = samples.iter().map(|(p, a)| p.len() + a.len()).max().unwrap_or(0);
        let mut batch = Batch { ids: Vec::new(), time };
        let mut rows: Vec<u32> = Vec::new();
        for (i, (prompt, answer)) in samples.iter().enumerate() {
            batch.ids.extend(prompt.iter().chain(answer));
            batch.ids.resize((i + 1) * time, 0);
            let first = i * time + prompt.len() - 1;
            rows.extend((first..first + answer.len()).map(|row| row as u32));
        }
        let logits = net.logits(&batch, &rows)?;
        let mut row = 0;
        for (entry, (_, answer)) in group.iter().zip(&samples) {
            let mut lead = f32::INFINITY;
            for target in answer {
                lead = lead.min(lead_of(&logits.i(row)?.to_vec1()?, *target));
                row += 1;
            }
            if lead > 0.0 && codec.decode(answer)? == entry.answer {
                score.least_lead = score.least_lead.min(lead);
            } else {
                score.missed.push(entry.question.clone());
            }
        }
    }
    Ok(score)
}

fn lead_of(logits: &[f32], target: u32) -> f32 {
    let target = target as usize;
    let others = logits.iter().enumerate().filter(|(i, _)| *i != target);
    logits[target] - others.fold(f32::NEG_INFINITY, |best, (_, v)| best.max(*v))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_never_rounds_up() {
        let score = Score { asked: 3, missed: vec!["A?".to_owned()], least_lead: 1.0 };
        assert_eq!(score.percent(), 66.66);
    }

    #[test]
    fn a_lead_is_over_the_best_other() {
        assert_eq!(lead_of(&[1.0, 4.0, 3.0], 1), 1.0);
        assert_eq!(lead_of(&[1.0, 4.0, 3.0], 2), -1.0);
    }
}
