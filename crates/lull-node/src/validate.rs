use lull_types::{ChatRequest, Code, Fault, Sampling};
use lull_wire::{control::MODEL_NAME_BYTES_MAX, job::QUESTION_BYTES_MAX};

/// The most messages of one conversation.
const MESSAGES_MAX: usize = 4096;
/// The longest conversation, in bytes of text: what a sealed question holds, less room for all that stands beside it.
const TEXT_BYTES_MAX: usize = QUESTION_BYTES_MAX - 1024 * 1024;
/// Bytes of text per token, where nothing better is known.
const BYTES_PER_TOKEN: usize = 4;
/// What a template adds to each message, in tokens.
const TOKENS_PER_MESSAGE: usize = 4;

/// Whether a question is within every bound.
///
/// # Errors
/// [`Code::BadRequest`] with the bound.
pub(crate) fn check(request: &ChatRequest) -> Result<(), Fault> {
    let bad = |text: String| Err(Fault::new(Code::BadRequest, text));
    if request.model.is_empty() || request.model.len() > MODEL_NAME_BYTES_MAX {
        return bad(format!("a model's name has 1 to {MODEL_NAME_BYTES_MAX} bytes; `lull models list` shows them all"));
    }
    if request.messages.is_empty() || request.messages.len() > MESSAGES_MAX {
        return bad(format!("a conversation has 1 to {MESSAGES_MAX} messages, not {}", request.messages.len()));
    }
    let bytes = text_bytes(request);
    if bytes > TEXT_BYTES_MAX {
        return bad(format!("the conversation has {bytes} bytes of text; {TEXT_BYTES_MAX} are the most"));
    }
    check_sampling(&request.sampling)
}

fn check_sampling(sampling: &Sampling) -> Result<(), Fault> {
    let ranges = [
        ("temperature", sampling.temperature, 0.0, 2.0),
        ("top_p", sampling.top_p, f32::MIN_POSITIVE, 1.0),
        ("min_p", sampling.min_p, 0.0, 1.0),
        ("frequency_penalty", sampling.frequency_penalty, -2.0, 2.0),
        ("presence_penalty", sampling.presence_penalty, -2.0, 2.0),
        ("repetition_penalty", sampling.repetition_penalty, 0.01, 100.0),
    ];
    // A number that is not a number is in no range.
    if let Some((name, value, least, most)) =
        ranges.into_iter().find(|(_, value, least, most)| !(least..=most).contains(&value))
    {
        let text = format!("{name} is {value}; it must lie between {least} and {most}");
        return Err(Fault::new(Code::BadRequest, text));
    }
    let stop_bytes = sampling.stop.iter().map(String::len).max().unwrap_or(1);
    let counts = [
        ("max_tokens", sampling.max_tokens as usize, 1, Sampling::MAX_TOKENS_MAX as usize),
        ("the number of stop strings", sampling.stop.len(), 0, Sampling::STOPS_MAX),
        ("a stop string's length in bytes", stop_bytes, 1, Sampling::STOP_BYTES_MAX),
        ("the number of biased tokens", sampling.bias.len(), 0, Sampling::BIAS_MAX),
        ("logprobs", sampling.logprobs.unwrap_or(0).into(), 0, Sampling::LOGPROBS_MAX.into()),
    ];
    match counts.into_iter().find(|(_, value, least, most)| !(least..=most).contains(&value)) {
        Some((name, value, least, most)) => {
            let text = format!("{name} is {value}; it must lie between {least} and {most}");
            Err(Fault::new(Code::BadRequest, text))
        }
        None => Ok(()),
    }
}

/// About how many tokens the prompt will have.
pub(crate) fn estimate_tokens(request: &ChatRequest) -> u32 {
    let tokens = text_bytes(request) / BYTES_PER_TOKEN + TOKENS_PER_MESSAGE * request.messages.len();
    u32::try_from(tokens).unwrap_or(u32::MAX)
}

fn text_bytes(request: &ChatRequest) -> usize {
    request.messages.iter().map(|message| message.content.len()).sum()
}

#[cfg(test)]
mod tests {
    use lull_types::{Label, Message, Role};

    use super::*;

    fn question(change: impl FnOnce(&mut ChatRequest)) -> ChatRequest {
        let message = Message { role: Role::User, content: "What is a node?".into() };
        let mut request = ChatRequest {
            model: "lull-demo".into(),
            messages: vec![message],
            label: Label::default(),
            sampling: Sampling::default(),
        };
        change(&mut request);
        request
    }

    #[test]
    fn an_ordinary_question_passes() {
        let request = question(|_| {});
        check(&request).unwrap();
        assert_eq!(estimate_tokens(&request), 7);
    }

    #[test]
    fn each_bound_holds() {
        type Change = fn(&mut ChatRequest);
        let changes: [(&str, Change); 9] = [
            ("no model", |request| request.model.clear()),
            ("long model", |request| request.model = "m".repeat(MODEL_NAME_BYTES_MAX + 1)),
            ("no messages", |request| request.messages.clear()),
            ("long text", |request| request.messages[0].content = "a".repeat(TEXT_BYTES_MAX + 1)),
            ("hot", |request| request.sampling.temperature = 2.1),
            ("not a number", |request| request.sampling.top_p = f32::NAN),
            ("no tokens", |request| request.sampling.max_tokens = 0),
            ("empty stop", |request| request.sampling.stop = vec![String::new()]),
            ("many logprobs", |request| request.sampling.logprobs = Some(21)),
        ];
        for (name, change) in changes {
            assert_eq!(check(&question(change)).unwrap_err().code, Code::BadRequest, "{name}");
        }
    }
}
