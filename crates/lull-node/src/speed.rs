use std::time::Duration;

/// How much the newest measurement counts.
const NEW_SHARE: f32 = 0.3;
/// Fewer tokens than this say nothing about a speed.
const TOKENS_MIN: u32 = 8;

/// Speeds of one model on this machine, as real runs show them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Speed {
    /// Generated tokens per second.
    pub(crate) decode_tps: Option<f32>,
    /// Prompt tokens per second.
    pub(crate) prefill_tps: Option<f32>,
}

/// One run's tokens and the time that the worker took for them; time spent waiting for the reader does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Measured {
    pub(crate) prompt_tokens: u32,
    pub(crate) prefill: Duration,
    pub(crate) decoded_tokens: u32,
    pub(crate) decode: Duration,
}

impl Speed {
    pub(crate) fn learn(&mut self, run: &Measured) {
        learn(&mut self.decode_tps, run.decoded_tokens, run.decode);
        learn(&mut self.prefill_tps, run.prompt_tokens, run.prefill);
    }
}

fn learn(speed: &mut Option<f32>, tokens: u32, took: Duration) {
    if tokens < TOKENS_MIN || took.is_zero() {
        return;
    }
    let new = tokens as f32 / took.as_secs_f32();
    *speed = Some(speed.map_or(new, |old| old + NEW_SHARE * (new - old)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_run_counts_wholly_and_later_ones_in_part() {
        let mut speed = Speed::default();
        let run = |decoded_tokens| Measured { decoded_tokens, decode: Duration::from_secs(1), ..Measured::default() };
        speed.learn(&run(100));
        assert_eq!(speed.decode_tps, Some(100.0));
        speed.learn(&run(200));
        assert_eq!(speed.decode_tps, Some(130.0));
        speed.learn(&run(2));
        assert_eq!(speed, Speed { decode_tps: Some(130.0), prefill_tps: None });
    }
}
