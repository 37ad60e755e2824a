//! The node's door as routes: what the window asks, hears and is told.

use std::{convert::Infallible, time::Duration};

use axum::{
    Json,
    body::Bytes,
    extract::{DefaultBodyLimit, Request as HttpRequest, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
    middleware,
    response::{
        IntoResponse, Response as HttpResponse,
        sse::{Event as Line, KeepAlive, Sse},
    },
    routing::{MethodRouter, get, post},
};
use futures::{Stream, StreamExt as _, stream};
use lull_types::{ChatRequest, Code, Event, Request, Response};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{CALL_BYTES_MAX, CHAT_BYTES_MAX, LOGIN_BYTES_MAX, answer::Refused, guard, server::App};

/// How long a stream may be silent before a comment shows that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a page may take to send what it asks.
const BODY_MAX: Duration = Duration::from_secs(60);

/// The routes, each with the longest body it takes; all but the login are for who is signed in.
pub(crate) fn routes(app: &App) -> [(&'static str, MethodRouter<App>); 4] {
    let bounded = |route: MethodRouter<App>, bytes| route.layer(DefaultBodyLimit::max(bytes));
    let inside = |route: MethodRouter<App>| route.layer(middleware::from_fn_with_state(app.clone(), guard::signed_in));
    [
        ("/ui/login", bounded(post(login), LOGIN_BYTES_MAX)),
        ("/ui/call", inside(bounded(post(call), CALL_BYTES_MAX))),
        ("/ui/chat", inside(bounded(post(chat), CHAT_BYTES_MAX))),
        ("/ui/events", inside(get(events))),
    ]
}

/// No `Debug`: it is a secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    token: String,
}

/// What the page says in `Authorization: Bearer` from then on. No `Debug`: it is a secret.
#[derive(Serialize)]
struct SignedIn {
    session: String,
}

async fn login(State(app): State<App>, request: HttpRequest) -> Result<Json<SignedIn>, Refused> {
    let Login { token } = read(request, LOGIN_BYTES_MAX).await?;
    let failed = |_| Refused::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, "the system gives no randomness");
    let Some(session) = app.sessions.sign_in(&token).map_err(failed)? else {
        tracing::warn!("a token that is not known or was used up was refused");
        return Err(Refused::signed_out(
            "this address was used already or is too old: ask for a fresh one where the node runs",
        ));
    };
    Ok(Json(SignedIn { session }))
}

async fn call(State(app): State<App>, request: HttpRequest) -> Result<Json<Response>, Refused> {
    let request: Request = read(request, CALL_BYTES_MAX).await?;
    if request == Request::Stop {
        let text = "a page cannot stop the node, which others on this machine may use: stop it where it was started";
        return Err(Refused::new(StatusCode::FORBIDDEN, Code::Forbidden, text));
    }
    Ok(Json(app.node.call(request).await?))
}

/// The answer as it comes. A page that ends the request drops the stream, which cancels the job.
async fn chat(State(app): State<App>, request: HttpRequest) -> Result<HttpResponse, Refused> {
    let request: ChatRequest = read(request, CHAT_BYTES_MAX).await?;
    let chat = app.node.chat(request).await?;
    let events = stream::unfold(chat, |mut chat| async move { Some((chat.next().await?, chat)) });
    Ok(streamed(events))
}

async fn events(State(app): State<App>) -> HttpResponse {
    let heard = stream::unfold(app.node.events(), |mut heard| async move { Some((hear(&mut heard).await?, heard)) });
    streamed(heard.flat_map(stream::iter).take_until(app.stop.clone().cancelled_owned()))
}

/// What happened; whoever was too slow to hear asks again for everything. `None`: the node is gone.
async fn hear(heard: &mut Receiver<Event>) -> Option<Vec<Event>> {
    match heard.recv().await {
        Ok(event) => Some(vec![event]),
        Err(RecvError::Lagged(_)) => Some(vec![Event::Status, Event::Models, Event::Rules, Event::Prefs]),
        Err(RecvError::Closed) => None,
    }
}

fn streamed<T: Serialize>(events: impl Stream<Item = T> + Send + 'static) -> HttpResponse {
    // Only maps with strange keys cannot be written, and there are none.
    let line = |event: T| Ok::<_, Infallible>(Line::default().data(serde_json::to_string(&event).unwrap_or_default()));
    let alive = KeepAlive::new().interval(KEEP_ALIVE).text("still here");
    Sse::new(events.map(line)).keep_alive(alive).into_response()
}

/// The body of a request that says it is JSON: what a foreign page cannot send without being asked first.
async fn read<T: DeserializeOwned>(request: HttpRequest, bytes_max: usize) -> Result<T, Refused> {
    is_json(request.headers())?;
    let late = |_| Refused::new(StatusCode::REQUEST_TIMEOUT, Code::Timeout, "the request did not arrive in time");
    let body = <Bytes as axum::extract::FromRequest<()>>::from_request(request, &());
    let body = tokio::time::timeout(BODY_MAX, body).await.map_err(late)?;
    let body = body.map_err(|rejected: BytesRejection| match rejected.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let text = format!("the request has more than {bytes_max} bytes: send less at once");
            Refused::new(StatusCode::PAYLOAD_TOO_LARGE, Code::BadRequest, text)
        }
        _ => Refused::malformed("the request was cut off: send it again"),
    })?;
    // The parser's own words would quote what was sent.
    serde_json::from_slice(&body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let text = format!("the request is not understood (line {line}, column {column}): load the page again");
        Refused::malformed(text)
    })
}

fn is_json(headers: &HeaderMap) -> Result<(), Refused> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let text = "send JSON, and the header \"Content-Type: application/json\"";
    Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::BadRequest, text))
}
