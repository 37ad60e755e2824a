//! Checking lenders for the organisation: asks one a question like anybody would, and computes the answer itself.
//!
//! Where the two differ, it goes on from what the lender wrote: one changed token counts once, not for all that follow.

use std::{sync::Arc, time::Duration};

use lull_core::job::{Answer, Input};
use lull_seal::EphemeralKey;
use lull_types::{
    ChatRequest, Code, Epoch, Fault, FinishReason, JobId, Label, Message, ModelHash, Role, Sampling, Usage,
};
use lull_wire::{
    Signed,
    control::{Found, FromNode, Submit},
    job::{Outcome, Receipt, Side},
};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    attempt::{self, Attempt, Heard, Sealed},
    clock::now_s,
    fault::stopping,
    submitter::{FromRelay, Sight},
    trust::{self, Asked, Law},
    validate,
};

/// Checks at once.
pub(crate) const CHECKS_MAX: usize = 2;
/// The longest wait for a lender, and for one answer of a check.
const ANSWER_MAX: Duration = Duration::from_secs(120);
/// The longest answer that is checked, in tokens.
const TOKENS_MAX: u32 = 64;
/// How often the answer is computed on from a difference: beyond that it is plain that they differ.
const DIFFERENCES_MAX: u32 = 24;
/// Frames that may wait.
const FRAMES_MAX: usize = 16;

/// One check that the relay asked for.
pub(crate) struct Check {
    pub(crate) job: JobId,
    pub(crate) check: u64,
    pub(crate) model: String,
    pub(crate) label: Label,
    pub(crate) sight: Sight,
    pub(crate) messages: mpsc::Receiver<FromRelay>,
}

/// What one run wrote, and who and with which bytes.
struct Wrote {
    answer: Written,
    model: ModelHash,
}

/// An answer to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Written {
    /// Ids, each with the text that became final with it.
    tokens: Vec<(u32, String)>,
    finish: FinishReason,
    /// Text that was held back.
    tail: String,
}

impl Written {
    /// Where another's answer is not this one, from a token on: its tokens first, then its end.
    fn difference(&self, from: usize, ours: &Self) -> Difference {
        let theirs = &self.tokens[from..];
        let common = theirs.iter().zip(&ours.tokens).position(|(theirs, ours)| theirs != ours);
        // An answer that ends too early or too late differs there.
        let longer = theirs.len() != ours.tokens.len();
        match common.or_else(|| longer.then(|| theirs.len().min(ours.tokens.len()))) {
            Some(at) => Difference::At(from + at),
            None if (self.finish, &self.tail) == (ours.finish, &ours.tail) => Difference::None,
            None => Difference::AtTheEnd,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Difference {
    None,
    /// A token, or none where there is one.
    At(usize),
    /// Every token is the same, and how it ends is not.
    AtTheEnd,
}

impl Check {
    /// Runs it, and tells the relay what it found.
    pub(crate) async fn run(mut self) {
        let found = self.compare().await.inspect_err(|fault| {
            tracing::warn!(check = self.check, code = %fault.code, reason = fault.message, "a check came to nothing");
        });
        if let Some(session) = self.sight.link.borrow().session() {
            session.say(FromNode::Checked { check: self.check, found: found.ok() });
        }
    }

    async fn compare(&mut self) -> Result<Found, Fault> {
        let request = Arc::new(question(&self.model, &self.label));
        let Wrote { answer: theirs, model } = self.ask(Epoch::FIRST, &request, Vec::new(), None).await?;
        let ids: Vec<u32> = theirs.tokens.iter().map(|(id, _)| *id).collect();
        let (mut epoch, mut different, mut from) = (Epoch::FIRST, 0, 0);
        while different < DIFFERENCES_MAX {
            epoch = Epoch(epoch.0 + 1);
            let ours = self.ask(epoch, &request, ids[..from].to_vec(), Some(model)).await?.answer;
            from = match theirs.difference(from, &ours) {
                Difference::None => break,
                Difference::At(at) => at + 1,
                Difference::AtTheEnd => ids.len(),
            };
            different += 1;
            if from >= ids.len() {
                break;
            }
        }
        // The end is a position, too.
        let compared = if different < DIFFERENCES_MAX { ids.len() + 1 } else { from };
        Ok(Found { positions: u32::try_from(compared).unwrap_or(u32::MAX), different })
    }

    /// One run, from the relay's grant to the last token.
    async fn ask(
        &mut self,
        epoch: Epoch,
        request: &Arc<ChatRequest>,
        prefix: Vec<u32>,
        model: Option<ModelHash>,
    ) -> Result<Wrote, Fault> {
        let key = EphemeralKey::generate();
        let session = self.sight.link.borrow().session().cloned().ok_or_else(stopping)?;
        session.say(FromNode::Submit(Submit {
            job: self.job,
            epoch,
            model: self.model.clone(),
            label: self.label.clone(),
            prompt_tokens: validate::estimate_tokens(request),
            max_tokens: request.sampling.max_tokens,
            submitter_key: key.public(),
            check: Some(self.check),
        }));
        let late = |_| Fault::new(Code::Timeout, "a check took too long");
        let granted = timeout(ANSWER_MAX, self.granted(epoch)).await.map_err(late)??;
        let asked = Asked {
            job: self.job,
            epoch,
            label: self.label.clone(),
            name: self.model.clone(),
            submitter_key: key.public(),
            model,
        };
        let identity = self.sight.rulebook.identity.borrow().clone();
        let (rules, denied) = (self.sight.rulebook.org(), self.sight.rulebook.denied()?);
        let law = Law { rules: &rules, denied: &denied };
        let lender = trust::check_granted(&granted, &asked, &identity, law, now_s())?;
        let (frames, heard) = mpsc::channel(FRAMES_MAX);
        let attempt = Attempt {
            epoch,
            request: request.clone(),
            prefix,
            lender: Sealed { device: lender.device.key, key: lender.key, model: lender.grant.model },
            asker: identity.member.as_ref().map(|member| member.asker(&granted.grant)),
            grant: granted.grant,
            key,
            connection: session.connection.clone(),
        };
        let let_go = CancellationToken::new();
        let _guard = let_go.clone().drop_guard();
        tokio::spawn(attempt::run(attempt, frames, let_go));
        let written = timeout(ANSWER_MAX, collect(heard)).await.map_err(late)?;
        let (usage, outcome) = match &written {
            Ok((_, usage)) => (*usage, Outcome::Completed),
            Err(fault) => (Usage::default(), Outcome::Failed(fault.code)),
        };
        let receipt =
            Receipt { job: self.job, epoch, node: identity.device.node, side: Side::Submitter, usage, outcome };
        if let Ok(receipt) = Signed::sign(&receipt, &identity.key) {
            session.say(FromNode::Receipt(receipt));
        }
        written.map(|(answer, _)| Wrote { answer, model: lender.grant.model })
    }

    async fn granted(&mut self, wanted: Epoch) -> Result<crate::submitter::Granted, Fault> {
        loop {
            match self.messages.recv().await.ok_or_else(stopping)? {
                FromRelay::Granted(granted) if granted.grant.claims().is_ok_and(|grant| grant.epoch == wanted) => {
                    return Ok(*granted);
                }
                FromRelay::Refused { epoch, reason } if epoch == wanted => return Err(reason),
                FromRelay::Granted(_) | FromRelay::Refused { .. } | FromRelay::Queued { .. } => {}
            }
        }
    }
}

async fn collect(mut heard: mpsc::Receiver<Heard>) -> Result<(Written, Usage), Fault> {
    let mut tokens = Vec::new();
    while let Some(heard) = heard.recv().await {
        match heard {
            Heard::Input(Input::Frame { answer, .. }) => match answer {
                Answer::Token(token) => tokens.push((token.id, token.text)),
                Answer::Done { finish, usage, tail } => return Ok((Written { tokens, finish, tail }, usage)),
                Answer::Failed(fault) => return Err(fault),
                Answer::Prefilled { .. } => {}
            },
            Heard::Input(Input::StreamEnded { fault, .. }) => return Err(fault),
            Heard::Input(_) | Heard::Begun { .. } => {}
        }
    }
    Err(Fault::new(Code::LenderLost, "the answer broke off"))
}

/// A question of the checker's own, seldom the same twice and not unlike those of people.
fn question(model: &str, label: &Label) -> ChatRequest {
    const ASKS: [&str; 8] = [
        "Explain in two sentences what {} is good for.",
        "Write a short note to a colleague about {}.",
        "What should I think of before we decide on {}?",
        "Give me three short points on {}.",
        "Summarise: {} took longer than planned, and the budget is used up.",
        "How would you explain {} to somebody new in the team?",
        "Rephrase politely: we cannot do {} this week.",
        "What are the risks of {}?",
    ];
    const THINGS: [&str; 12] = [
        "the quarterly report",
        "our new printer",
        "a backup plan",
        "the office move",
        "remote work",
        "the spring release",
        "a data migration",
        "the customer survey",
        "the meeting on Monday",
        "paid parking",
        "the travel budget",
        "an on-call rota",
    ];
    let pick = |all: &[&'static str]| all[rand::random_range(0..all.len())];
    let number: u32 = rand::random_range(2..400);
    let content = format!("{} It concerns {number} people.", pick(&ASKS).replace("{}", pick(&THINGS)));
    let temperature = if rand::random() { 0.0 } else { Sampling::default().temperature };
    let max_tokens = rand::random_range(TOKENS_MAX / 2..=TOKENS_MAX);
    let sampling = Sampling { temperature, max_tokens, seed: rand::random(), ..Sampling::default() };
    let messages = vec![Message { role: Role::User, content }];
    ChatRequest { model: model.to_owned(), messages, label: label.clone(), sampling }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(tokens: &[(u32, &str)], finish: FinishReason, tail: &str) -> Written {
        let tokens = tokens.iter().map(|(id, text)| (*id, (*text).to_owned())).collect();
        Written { tokens, finish, tail: tail.to_owned() }
    }

    #[test]
    fn one_changed_token_is_one_difference() {
        use Difference::{At, AtTheEnd, None};
        let theirs = written(&[(1, "a"), (2, "b"), (3, "c")], FinishReason::Stop, "");
        let ours = |tokens: &[(u32, &str)]| written(tokens, FinishReason::Stop, "");
        assert_eq!(theirs.difference(0, &theirs), None);
        assert_eq!(theirs.difference(0, &ours(&[(1, "a"), (9, "b"), (3, "c")])), At(1));
        assert_eq!(theirs.difference(0, &ours(&[(1, "a"), (2, "x"), (3, "c")])), At(1), "the words alone");
        assert_eq!(theirs.difference(2, &ours(&[(3, "c")])), None);
        assert_eq!(theirs.difference(2, &ours(&[(4, "c")])), At(2));
        assert_eq!(theirs.difference(2, &ours(&[])), At(2), "it should have ended");
        assert_eq!(theirs.difference(0, &ours(&[(1, "a"), (2, "b"), (3, "c"), (4, "d")])), At(3), "it ended early");
        assert_eq!(theirs.difference(2, &written(&[(3, "c")], FinishReason::Length, "")), AtTheEnd);
        assert_eq!(theirs.difference(2, &written(&[(3, "c")], FinishReason::Stop, "!")), AtTheEnd);
        let empty = ours(&[]);
        assert_eq!(empty.difference(0, &empty), None);
    }

    #[test]
    fn a_question_is_one_that_may_be_asked() {
        for _ in 0..200 {
            validate::check(&question("m", &Label::internal())).unwrap();
        }
    }
}
