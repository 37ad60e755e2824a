use std::{
    fmt::Write as _,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use lull_node::Chat;
use lull_types::{Answered, ChatEvent, Code, Fault, FinishReason, JobId, Label, Usage};

use crate::{
    JOB_HEADER, LABEL_HEADER, LENDER_HEADER, body,
    error::ApiError,
    reply::{Completion, Frame, Likely},
    request,
    router::App,
    stream,
};

/// The longest answer that is collected for a client that does not stream, in bytes.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// `POST /v1/chat/completions`
///
/// Nothing is sent before a lender has the job, so that an error until then has its own status, streaming or not.
pub(crate) async fn complete(State(app): State<App>, headers: HeaderMap, body: Body) -> Result<Response, ApiError> {
    let bytes = body::read(&headers, body).await?;
    let asked = request::parse(&bytes, label(&headers)?)?;
    drop(bytes);
    let model = asked.chat.model.clone();
    let logprobs = asked.chat.sampling.logprobs.is_some();
    let mut chat = app.node.chat(asked.chat).await?;
    let (job, by) = started(&mut chat).await?;
    let created = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs());
    let frame = Frame::new(job, &by, model, created);
    if asked.stream {
        let mut response = Response::new(stream::body(chat, frame, asked.include_usage));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        return Ok(marked(response, job, &by));
    }
    let answer = whole(chat, by, logprobs).await?;
    let completion = Completion::new(&frame, &answer.text, answer.likely, answer.finish, answer.usage);
    let json = serde_json::to_vec(&completion)
        .map_err(|error| Fault::new(Code::Internal, format!("the answer cannot be written: {error}")))?;
    let mut response = Response::new(Body::from(json));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(marked(response, job, &answer.by))
}

fn label(headers: &HeaderMap) -> Result<Label, ApiError> {
    let mut values = headers.get_all(LABEL_HEADER).iter();
    let Some(value) = values.next() else { return Ok(Label::default()) };
    if values.next().is_some() {
        return Err(ApiError::invalid(LABEL_HEADER, "There is more than one label; give one."));
    }
    let text = value.to_str().map_err(|_| ApiError::invalid(LABEL_HEADER, "The label is not ASCII."))?;
    text.parse().map_err(|error: lull_types::LabelError| ApiError::invalid(LABEL_HEADER, error.to_string()))
}

/// Waits until a lender has the job.
async fn started(chat: &mut Chat) -> Result<(JobId, Answered), ApiError> {
    loop {
        match chat.next().await {
            Some(ChatEvent::Queued { .. }) => {}
            Some(ChatEvent::Started { job, by }) => return Ok((job, by)),
            Some(ChatEvent::Failed(fault)) => return Err(fault.into()),
            Some(ChatEvent::Token(_) | ChatEvent::Tail { .. } | ChatEvent::Done { .. }) => {
                return Err(Fault::new(Code::Internal, "the node answered before a lender had the job").into());
            }
            None => return Err(unfinished()),
        }
    }
}

/// The channel ended without a last event: a failure, and not the API's own.
pub(crate) fn unfinished() -> ApiError {
    let message = "the node stopped in the middle of the answer; ask again";
    ApiError::new(StatusCode::BAD_GATEWAY, Code::Internal.as_str(), message)
}

struct Whole {
    text: String,
    likely: Option<Vec<Likely>>,
    finish: FinishReason,
    usage: Usage,
    by: Answered,
}

async fn whole(mut chat: Chat, mut by: Answered, logprobs: bool) -> Result<Whole, ApiError> {
    let mut text = String::new();
    let mut likely = logprobs.then(Vec::new);
    loop {
        let event = chat.next().await.ok_or_else(unfinished)?;
        text += event.text();
        if text.len() > ANSWER_BYTES_MAX {
            let message = format!("the answer is longer than {ANSWER_BYTES_MAX} bytes; ask for it as a stream");
            return Err(Fault::new(Code::Internal, message).into());
        }
        match event {
            ChatEvent::Token(token) => {
                if let Some(list) = &mut likely {
                    list.extend(Likely::of(&token));
                }
            }
            ChatEvent::Started { by: other, .. } => by = other,
            ChatEvent::Done { finish, usage, .. } => return Ok(Whole { text, likely, finish, usage, by }),
            ChatEvent::Failed(fault) => return Err(fault.into()),
            ChatEvent::Queued { .. } | ChatEvent::Tail { .. } => {}
        }
    }
}

/// Says in the headers who answers which job.
fn marked(mut response: Response, job: JobId, by: &Answered) -> Response {
    for (name, value) in [(JOB_HEADER, job.to_string()), (LENDER_HEADER, percent_encoded(&by.name))] {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn percent_encoded(name: &str) -> String {
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
