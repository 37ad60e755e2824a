//! What stands before every route: whom a request was meant for, which page sent it, and who is signed in.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use lull_types::Code;

use crate::{answer::Refused, server::App};

/// Nothing from elsewhere, nothing inline, in nobody's frame. The page carries the same, but for the frame and for what
/// only the app's own window needs.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Headers of every answer.
const HEADERS: [(&str, &str); 6] = [
    ("content-security-policy", POLICY),
    ("x-frame-options", "DENY"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Foreign hosts and origins are refused before anything is looked at.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = match admit(&app, request.headers(), request.uri()) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Only this window's own pages may ask anything: not another page on this machine either, whose port differs.
fn admit(app: &App, headers: &HeaderMap, uri: &Uri) -> Result<(), Refused> {
    let foreign = |what: &str| {
        tracing::warn!(what, "a foreign request to the window was refused");
        let text = format!("requests with a foreign {what} are refused: open http://{} itself", app.bound);
        Refused::new(StatusCode::FORBIDDEN, Code::Forbidden, text)
    };
    let host = lull_api::own_host(app.bound, headers, uri).ok_or_else(|| foreign("Host"))?;
    let own = format!("http://{host}");
    if headers.get_all(header::ORIGIN).iter().any(|origin| origin.as_bytes() != own.as_bytes()) {
        return Err(foreign("Origin"));
    }
    // Browsers name no origin where a page only reads, but they say where it stands.
    let asks = uri.path().starts_with("/ui/");
    let mut sites = headers.get_all("sec-fetch-site").iter();
    if asks && sites.any(|site| !matches!(site.as_bytes(), b"same-origin" | b"none")) {
        return Err(foreign("Origin"));
    }
    Ok(())
}

/// Lets only who is signed in pass. The session is in a header that the page sets, never in a cookie: browsers send a
/// cookie to every port of this host, where another user of this machine may listen.
pub(crate) async fn signed_in(State(app): State<App>, request: Request, next: Next) -> Response {
    let said = request.headers().get(header::AUTHORIZATION).and_then(|said| said.to_str().ok());
    match said.and_then(|said| said.strip_prefix("Bearer ")) {
        Some(session) if app.sessions.knows(session) => next.run(request).await,
        Some(_) => Refused::signed_out(
            "this window's session is over: ask for a fresh address where the node runs, with `lull node run --ui`",
        )
        .into_response(),
        None => Refused::signed_out(
            "this window is not signed in: open the address with its token that `lull node run --ui` printed",
        )
        .into_response(),
    }
}
