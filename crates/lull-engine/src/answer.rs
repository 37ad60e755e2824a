use std::sync::Arc;

use lull_types::{Code, Fault, FinishReason, Sampling, Token, TokenLogprob, Usage};

use crate::{Choice, Detok, Sampler, Stops, Vocabulary};

/// One answer in the making: from logits to tokens with text, until it ends.
///
/// All of its state is a function of prompt, parameters and the ids so far; so an answer begun elsewhere goes on here
/// exactly as it would have gone on there.
#[derive(Debug)]
pub struct Answer {
    vocabulary: Arc<Vocabulary>,
    sampler: Sampler,
    detok: Detok,
    stops: Stops,
    prompt_tokens: u32,
    position: u32,
    limit: u32,
}

/// How an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Why.
    pub finish: FinishReason,
    /// What it cost.
    pub usage: Usage,
    /// Text that was held back and belongs after the last token.
    pub tail: String,
}

/// What came of one step's logits: a token, an ending, or both.
#[derive(Debug, Clone, PartialEq)]
pub struct Stepped {
    /// The next token; none if the model ended the answer here.
    pub token: Option<Token>,
    /// Set if this was the last step.
    pub ending: Option<Ending>,
}

impl Answer {
    /// An answer to `prompt` of which `prefix` has been generated already.
    /// The context limits prompt and answer together, in tokens. The second value is set if nothing is left to do.
    ///
    /// # Errors
    /// [`Code::ContextExceeded`] when the prompt leaves no room, [`Code::BadRequest`] for bad parameters or ids.
    pub fn begin(
        vocabulary: Arc<Vocabulary>,
        context: u32,
        prompt: &[u32],
        prefix: &[u32],
        sampling: &Sampling,
    ) -> Result<(Self, Option<Ending>), Fault> {
        let prompt_tokens = u32::try_from(prompt.len()).unwrap_or(u32::MAX);
        if prompt_tokens >= context {
            return Err(Fault::new(
                Code::ContextExceeded,
                format!(
                    "the prompt has {prompt_tokens} tokens, and the model's context here is {context}, \
                     of which the answer needs at least one; shorten the conversation"
                ),
            ));
        }
        if let Some(id) = prefix.iter().find(|&&id| id as usize >= vocabulary.len()) {
            let size = vocabulary.len();
            return Err(Fault::new(
                Code::BadRequest,
                format!("token {id} cannot be continued after: the model's vocabulary has {size} tokens"),
            ));
        }
        let mut answer = Self {
            sampler: Sampler::new(sampling, prompt, &[])?,
            stops: Stops::new(&sampling.stop),
            detok: Detok::default(),
            vocabulary,
            prompt_tokens,
            position: 0,
            limit: sampling.max_tokens.min(context - prompt_tokens),
        };
        let ending = answer.replay(prefix);
        answer.sampler = Sampler::new(sampling, prompt, prefix)?;
        Ok((answer, ending))
    }

    /// The next step's logits become a token or the end. Must not be called after an ending.
    ///
    /// # Errors
    /// [`Code::ModelBroken`] when the logits cannot be used.
    pub fn step(&mut self, logits: &[f32]) -> Result<Stepped, Fault> {
        let logits = &logits[..logits.len().min(self.vocabulary.len())];
        let choice = self.sampler.choose(logits, self.position)?;
        if self.vocabulary.is_end(choice.id) {
            return Ok(Stepped { token: None, ending: Some(self.end(FinishReason::Stop)) });
        }
        let position = self.position;
        let (text, ending) = self.append(choice.id);
        Ok(Stepped { token: Some(self.token(position, choice, text)), ending })
    }

    /// The place of the next token.
    #[must_use]
    pub const fn position(&self) -> u32 {
        self.position
    }

    /// Tokens that the answer can have in all.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    fn replay(&mut self, prefix: &[u32]) -> Option<Ending> {
        if self.limit == 0 {
            return Some(self.end(FinishReason::Length));
        }
        for &id in prefix {
            if self.vocabulary.is_end(id) {
                return Some(self.end(FinishReason::Stop));
            }
            if let (_, Some(ending)) = self.append(id) {
                return Some(ending);
            }
        }
        None
    }

    fn append(&mut self, id: u32) -> (String, Option<Ending>) {
        let text = self.detok.push(self.vocabulary.bytes_at(id, self.position));
        self.position += 1;
        let released = self.stops.push(&text);
        let ending = if released.stopped {
            let usage = self.usage();
            Some(Ending { finish: FinishReason::Stop, usage, tail: String::new() })
        } else if self.position >= self.limit {
            Some(self.end(FinishReason::Length))
        } else {
            None
        };
        (released.text, ending)
    }

    fn end(&mut self, finish: FinishReason) -> Ending {
        let rest = self.detok.finish();
        let released = self.stops.push(&rest);
        let held = if released.stopped { String::new() } else { self.stops.finish() };
        Ending { finish, usage: self.usage(), tail: released.text + &held }
    }

    const fn usage(&self) -> Usage {
        Usage { prompt_tokens: self.prompt_tokens, completion_tokens: self.position }
    }

    fn token(&self, position: u32, choice: Choice, text: String) -> Token {
        let report = |(id, logprob)| TokenLogprob { id, bytes: self.vocabulary.bytes(id).to_vec(), logprob };
        Token {
            position,
            id: choice.id,
            text,
            logprob: choice.logprob.map(|logprob| report((choice.id, logprob))),
            top: choice.top.into_iter().map(report).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids 0 to 255 are bytes, 256 ends.
    fn bytes() -> Arc<Vocabulary> {
        let mut bytes: Vec<Box<[u8]>> = (0..=255_u8).map(|byte| Box::from([byte])).collect();
        bytes.push(Box::default());
        Arc::new(Vocabulary::new(bytes, vec![256]))
    }

    fn one_hot(id: u32) -> Vec<f32> {
        (0..257).map(|at| if at == id { 9.0 } else { 0.0 }).collect()
    }

    /// Plays `script` after `prefix`: the text of each token, and the ending.
    fn play(sampling: &Sampling, prefix: &[u8], script: &[u8]) -> (Vec<String>, Ending) {
        let prefix: Vec<u32> = prefix.iter().map(|&byte| byte.into()).collect();
        let (mut answer, ended) = Answer::begin(bytes(), 100, &[1, 2, 3], &prefix, sampling).unwrap();
        let mut texts = Vec::new();
        if let Some(ending) = ended {
            return (texts, ending);
        }
        for id in script.iter().map(|&byte| u32::from(byte)).chain([256]) {
            let stepped = answer.step(&one_hot(id)).unwrap();
            texts.extend(stepped.token.map(|token| token.text));
            if let Some(ending) = stepped.ending {
                return (texts, ending);
            }
        }
        unreachable!("the end token ends")
    }

    fn greedy(stop: &[&str], max_tokens: u32) -> Sampling {
        let stop = stop.iter().map(ToString::to_string).collect();
        Sampling { temperature: 0.0, stop, max_tokens, ..Sampling::default() }
    }

    #[test]
    fn continuing_after_any_prefix_gives_the_same_tail() {
        let script = "It costs 5 € – EN END more".as_bytes();
        for sampling in [greedy(&["END"], 90), greedy(&[], 90), greedy(&["zzz", "€ –"], 90), greedy(&["more!"], 9)]
        {
            let (whole, ending) = play(&sampling, &[], script);
            for cut in 0..=whole.len() {
                let (tail, same_ending) = play(&sampling, &script[..cut], &script[cut..]);
                assert_eq!(tail, whole[cut..], "after {cut} tokens");
                assert_eq!(same_ending, ending, "after {cut} tokens");
            }
        }
    }

    #[test]
    fn endings_say_why_and_keep_no_text() {
        let (texts, ending) = play(&greedy(&["END"], 90), &[], b"one END");
        assert_eq!((texts.concat().as_str(), ending.finish, ending.tail.as_str()), ("one ", FinishReason::Stop, ""));
        let (texts, ending) = play(&greedy(&["END"], 90), &[], b"one EN");
        assert_eq!((texts.concat().as_str(), ending.finish, ending.tail.as_str()), ("one ", FinishReason::Stop, "EN"));
        assert_eq!(ending.usage, Usage { prompt_tokens: 3, completion_tokens: 6 });
        let (texts, ending) = play(&greedy(&[], 2), &[], "a€".as_bytes());
        assert_eq!(
            (texts.concat().as_str(), ending.finish, ending.tail.as_str()),
            ("a", FinishReason::Length, "\u{fffd}")
        );
    }

    #[test]
    fn the_context_clamps_the_answer_and_refuses_a_long_prompt() {
        let sampling = greedy(&[], 1000);
        let (answer, _) = Answer::begin(bytes(), 10, &[0; 9], &[], &sampling).unwrap();
        assert_eq!(answer.limit(), 1);
        let fault = Answer::begin(bytes(), 10, &[0; 10], &[], &sampling).unwrap_err();
        assert_eq!(fault.code, Code::ContextExceeded);
        assert!(fault.message.contains("10 tokens") && fault.message.contains("is 10"), "{fault}");
        assert_eq!(Answer::begin(bytes(), 10, &[0], &[257], &sampling).unwrap_err().code, Code::BadRequest);
    }
}
