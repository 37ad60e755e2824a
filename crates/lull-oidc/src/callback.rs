use std::{
    convert::Infallible,
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderMap},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use url::form_urlencoded;

use crate::error::{LoginError, shown};

/// The path a browser comes back to.
pub(crate) const PATH: &str = "/callback";
/// Bytes of a request's head, and so of the longest code with all that browsers add.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Lines of a request's head.
const HEAD_LINES_MAX: usize = 64;
/// For one connection, from its first byte to its last.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections at the same time. Browsers open a few in advance.
const CONNECTIONS_MAX: usize = 16;
/// Bytes of a code. Those of large providers have one or two KiB.
const CODE_BYTES_MAX: usize = 8 * 1024;

/// What a browser must bring to belong to this login.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) port: u16,
    pub(crate) state: String,
    pub(crate) issuer: String,
    /// Whether the provider names itself in each answer.
    pub(crate) names_itself: bool,
}

/// What one connection came to; `None`: not the callback.
type Outcome = Option<Result<String, LoginError>>;

/// Serves the loopback port until a browser comes back: its code, or how the login ended. What is no callback (another
/// path, another host's name, a page's own requests) is refused and does not end the login.
///
/// # Errors
/// When the login ended without a code, or the port cannot be served.
pub(crate) async fn wait(listener: TcpListener, expected: Expected) -> Result<String, LoginError> {
    let expected = Arc::new(expected);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((stream, peer)) if peer.ip().is_loopback() => {
                    connections.spawn(serve(stream, Arc::clone(&expected)));
                }
                Ok(_) => {}
                Err(error) if gone(&error) => {}
                Err(error) => return Err(LoginError::Listen(error.to_string())),
            },
            Some(served) = connections.join_next() => {
                if let Ok(Some(outcome)) = served {
                    return outcome;
                }
            }
        }
    }
}

/// Whether only the one connection was lost.
fn gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

/// One request on one connection. Its outcome counts only once the browser has its page.
async fn serve(stream: TcpStream, expected: Arc<Expected>) -> Outcome {
    let outcome = Arc::new(OnceLock::new());
    let service = service_fn(|request: Request<Incoming>| {
        let (page, found) = answer(request.method(), request.uri(), request.headers(), &expected);
        if let Some(found) = found {
            let _ = outcome.set(found);
        }
        async move { Ok::<_, Infallible>(page) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(CONNECTION_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEAD_LINES_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    let _ = timeout(CONNECTION_TIMEOUT, connection).await;
    outcome.get().cloned()
}

fn answer(
    method: &Method,
    uri: &hyper::Uri,
    headers: &HeaderMap,
    expected: &Expected,
) -> (Response<Full<Bytes>>, Outcome) {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    // Another name for this port means that some page leads the browser here (DNS rebinding).
    let ours = text(header::HOST.as_str()) == Some(format!("127.0.0.1:{}", expected.port).as_str());
    // A login comes back as a page of its own; a picture or script of another page is not one.
    let navigates = text("sec-fetch-dest").is_none_or(|wanted| wanted == "document");
    if !ours || !navigates {
        return (page(StatusCode::FORBIDDEN, "This request does not belong to a login."), None);
    }
    if uri.path() != PATH {
        return (page(StatusCode::NOT_FOUND, "There is nothing here."), None);
    }
    if method != Method::GET {
        return (page(StatusCode::METHOD_NOT_ALLOWED, "This request does not belong to a login."), None);
    }
    let outcome = read(uri.query().unwrap_or_default(), expected);
    let (status, sentence) = match &outcome {
        Ok(_) => (StatusCode::OK, "You can close this window and go back to Lull."),
        Err(LoginError::Declined) => (StatusCode::OK, "The login was declined. You can close this window."),
        Err(_) => (StatusCode::BAD_REQUEST, "The login did not work. Close this window: Lull says why."),
    };
    (page(status, sentence), Some(outcome))
}

/// The code, or why there is none. Nothing else is looked at before the state is known to be ours.
fn read(query: &str, expected: &Expected) -> Result<String, LoginError> {
    let one = |name: &str| {
        let mut found = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
        match (found.next(), found.next()) {
            (first, None) => Ok(first.map(|(_, value)| value.into_owned())),
            _ => Err(LoginError::BadCallback),
        }
    };
    if one("state")?.as_deref() != Some(expected.state.as_str()) {
        return Err(LoginError::WrongState);
    }
    match one("iss")? {
        Some(issuer) if issuer != expected.issuer => return Err(LoginError::Elsewhere),
        None if expected.names_itself => return Err(LoginError::Elsewhere),
        _ => {}
    }
    match one("error")?.as_deref() {
        Some("access_denied") => return Err(LoginError::Declined),
        Some(error) => return Err(LoginError::Ended(shown(error))),
        None => {}
    }
    one("code")?.filter(|code| !code.is_empty() && code.len() <= CODE_BYTES_MAX).ok_or(LoginError::BadCallback)
}

/// A page of our own words only: nothing that came with the request is shown in it.
fn page(status: StatusCode, sentence: &'static str) -> Response<Full<Bytes>> {
    let body = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Lull</title>\n<p>{sentence}</p></html>\n"
    );
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let said = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in said {
        response.headers_mut().insert(name, header::HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(names_itself: bool) -> Expected {
        Expected { port: 5, state: "s1".into(), issuer: "https://id.example".into(), names_itself }
    }

    #[test]
    fn each_query_has_its_own_outcome() {
        let long = format!("state=s1&code={}", "x".repeat(CODE_BYTES_MAX + 1));
        let cases = [
            ("state=s1&code=abc", Ok("abc".to_owned())),
            ("code=abc&state=s1&iss=https%3A%2F%2Fid.example&session_state=1", Ok("abc".to_owned())),
            ("", Err(LoginError::WrongState)),
            ("code=abc", Err(LoginError::WrongState)),
            ("state=s2&code=abc", Err(LoginError::WrongState)),
            ("state=s2&error=access_denied", Err(LoginError::WrongState)),
            ("state=s1&state=s1&code=abc", Err(LoginError::BadCallback)),
            ("state=s1&code=abc&code=abd", Err(LoginError::BadCallback)),
            ("state=s1&code=", Err(LoginError::BadCallback)),
            ("state=s1", Err(LoginError::BadCallback)),
            (long.as_str(), Err(LoginError::BadCallback)),
            ("state=s1&code=abc&iss=https%3A%2F%2Fother.example", Err(LoginError::Elsewhere)),
            ("state=s1&error=access_denied&iss=https%3A%2F%2Fother.example", Err(LoginError::Elsewhere)),
            ("state=s1&error=access_denied", Err(LoginError::Declined)),
            ("state=s1&error=%3Cscript%3E%0A\"&code=abc", Err(LoginError::Ended("<script>??".into()))),
        ];
        for (query, outcome) in cases {
            assert_eq!(read(query, &expected(false)), outcome, "{query}");
        }
        assert_eq!(read("state=s1&code=abc", &expected(true)), Err(LoginError::Elsewhere));
    }

    #[test]
    fn what_is_no_callback_does_not_end_the_login() {
        let ask = |method: Method, target: &str, host: &str, dest: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            if let Some(dest) = dest {
                headers.insert("sec-fetch-dest", dest.parse().unwrap());
            }
            let (page, outcome) = answer(&method, &target.parse().unwrap(), &headers, &expected(false));
            (page.status().as_u16(), outcome.is_some())
        };
        let good = "/callback?state=s1&code=abc";
        assert_eq!(ask(Method::GET, good, "127.0.0.1:5", Some("document")), (200, true));
        assert_eq!(ask(Method::GET, good, "127.0.0.1:5", None), (200, true));
        assert_eq!(ask(Method::GET, good, "rebound.example:5", None), (403, false));
        assert_eq!(ask(Method::GET, good, "127.0.0.1:6", None), (403, false));
        assert_eq!(ask(Method::GET, "/callback?state=x", "127.0.0.1:5", Some("image")), (403, false));
        assert_eq!(ask(Method::GET, "/favicon.ico", "127.0.0.1:5", None), (404, false));
        assert_eq!(ask(Method::GET, "/callback/x?state=s1&code=abc", "127.0.0.1:5", None), (404, false));
        assert_eq!(ask(Method::POST, good, "127.0.0.1:5", None), (405, false));
    }
}
