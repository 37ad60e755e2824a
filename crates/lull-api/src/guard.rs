use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{
    JOB_HEADER, LABEL_HEADER, LENDER_HEADER,
    error::ApiError,
    host::{is_own_name, own_host},
    router::App,
};

/// How long a browser may remember a preflight's answer, in seconds.
const PREFLIGHT_AGE_S: u32 = 600;
/// The most header names that a preflight may ask for.
const PREFLIGHT_HEADERS_MAX: usize = 64;
/// Headers that pages on this machine may send, beside `x-stainless-*`.
const ADMITTED: [&str; 8] = [
    "accept",
    "authorization",
    "cache-control",
    "content-type",
    "openai-organization",
    "openai-project",
    "user-agent",
    LABEL_HEADER,
];

/// Stands before every route: foreign hosts and origins first, so that no web page reaches a key; then the key.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let origin = match admit(&app, request.headers(), request.uri()) {
        Ok(origin) => origin,
        Err(refused) => return refused.into_response(),
    };
    let asks = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if request.method() == Method::OPTIONS && origin.is_some() && asks {
        preflight(request.headers())
    } else if let Err(refused) = authorize(&app, request.headers()) {
        refused.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if let Ok(exposed) = format!("{LENDER_HEADER}, {JOB_HEADER}, retry-after").parse() {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
    }
    response
}

/// Refuses a request that was meant for another host (a rebound name) or comes from a foreign page.
fn admit(app: &App, headers: &HeaderMap, uri: &Uri) -> Result<Option<HeaderValue>, ApiError> {
    let foreign = |what| {
        tracing::warn!(what, "a foreign request was refused");
        let message = format!("Requests with a foreign {what} are refused; use http://{}.", app.bound);
        ApiError::new(StatusCode::FORBIDDEN, "forbidden", message)
    };
    if own_host(app.bound, headers, uri).is_none() {
        return Err(foreign("Host"));
    }
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else { return Ok(None) };
    let parsed = origin.to_str().ok().and_then(|origin| {
        let (scheme, rest) = origin.split_once("://")?;
        let authority = rest.parse::<Authority>().ok()?;
        Some(matches!(scheme, "http" | "https") && is_own_name(app.bound, &authority))
    });
    if origins.next().is_some() || parsed != Some(true) {
        return Err(foreign("Origin"));
    }
    Ok(Some(origin.clone()))
}

fn authorize(app: &App, headers: &HeaderMap) -> Result<(), ApiError> {
    let refused = |message: &str| Err(ApiError::new(StatusCode::UNAUTHORIZED, "invalid_api_key", message));
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return refused(
            "No API key. Make one with: lull key create NAME; then send it as \"Authorization: Bearer KEY\".",
        );
    };
    let presented = value.to_str().ok().and_then(|value| value.split_once(' '));
    match presented.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) {
        Some((_, key)) if app.keys.check(key.trim()).is_some() => Ok(()),
        _ if app.keys.fault().is_some() => {
            refused("This machine's key file cannot be used, so no key is accepted. See: lull key list.")
        }
        _ => refused("Wrong API key. See the names of valid ones with: lull key list."),
    }
}

fn preflight(headers: &HeaderMap) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let wanted = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).and_then(|names| names.to_str().ok());
    let names = wanted.unwrap_or_default().split(',').map(|name| name.trim().to_ascii_lowercase());
    let admitted: Vec<String> = names
        .take(PREFLIGHT_HEADERS_MAX)
        .filter(|name| ADMITTED.contains(&name.as_str()) || name.starts_with("x-stainless-"))
        .collect();
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE_S.into());
    if let Ok(admitted) = admitted.join(", ").parse() {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, admitted);
    }
    response
}
