//! What is refused: bodies, keys, hosts, origins, routes; each with its status and OpenAI's shape.

#![cfg(test)]

#[path = "support/mod.rs"]
#[expect(dead_code, reason = "each test binary uses a part")]
mod support;

use std::{
    fs, io,
    sync::{Arc, Mutex},
};

use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, ORIGIN};
use lull_api::BODY_BYTES_MAX;
use lull_types::{ChatEvent, Code, Fault};
use serde_json::{Value, json};
use support::{Answer, Api, started, wait};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn error(answer: Answer, status: u16, what: &str) -> Value {
    assert_eq!(answer.status(), status, "{what}");
    assert_eq!(answer.header("content-type"), "application/json", "{what}");
    let body = answer.json().await;
    let error = body["error"].as_object().unwrap_or_else(|| panic!("{what}: {body}"));
    let mut names: Vec<&str> = error.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!((names, body.as_object().unwrap().len()), (vec!["code", "message", "param", "type"], 1), "{what}");
    assert!(error["message"].as_str().unwrap().len() > 10, "{what}: {body}");
    body["error"].clone()
}

/// Bodies that are no question at all.
const MALFORMED: &[&str] = &[
    "",
    "{",
    "null",
    "[]",
    "\"text\"",
    "{} {}",
    "{\"model\":\"lull-demo\",}",
    "{'model':'lull-demo'}",
    "{\"model\":\"a\",\"model\":\"b\"}",
    "\u{feff}{}",
    "NaN",
    "{\"model\":\"\\ud800\"",
];

/// Fields on top of a sound question, the parameter that must be named, and the code.
type WrongField = (Value, &'static str, &'static str);

fn wrong_conversations() -> Vec<WrongField> {
    let user = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    vec![
        (json!({"model": null}), "model", "missing_required_parameter"),
        (json!({"model": 5}), "model", "invalid_type"),
        (json!({"model": ""}), "model", "invalid_value"),
        (json!({"messages": null}), "messages", "missing_required_parameter"),
        (json!({"messages": "hi"}), "messages", "invalid_type"),
        (json!({"messages": []}), "messages", "invalid_value"),
        (json!({"messages": ["hi"]}), "messages[0]", "invalid_type"),
        (json!({"messages": [{"content": "x"}]}), "messages[0].role", "missing_required_parameter"),
        (json!({"messages": [{"role": "king", "content": "x"}]}), "messages[0].role", "invalid_value"),
        (json!({"messages": [{"role": "tool", "content": "x"}]}), "messages[0].role", "unsupported_parameter"),
        (json!({"messages": [{"role": "user"}]}), "messages[0].content", "missing_required_parameter"),
        (
            json!({"messages": [{"role": "user", "content": "x", "name": "Zoë"}]}),
            "messages[0].name",
            "unsupported_parameter",
        ),
        (json!({"messages": [{"role": "user", "content": "x", "mood": 1}]}), "messages[0].mood", "unknown_parameter"),
        (
            json!({"messages": [{"role": "assistant", "content": "x", "tool_calls": []}]}),
            "messages[0].tool_calls",
            "unsupported_parameter",
        ),
        (user(json!(7)), "messages[0].content", "invalid_type"),
        (user(json!([])), "messages[0].content", "invalid_value"),
        (user(json!(["x"])), "messages[0].content[0]", "invalid_type"),
        (user(json!([{"type": "text"}])), "messages[0].content[0].text", "missing_required_parameter"),
        (
            user(json!([{"type": "image_url", "image_url": {"url": "x"}}])),
            "messages[0].content[0].type",
            "unsupported_parameter",
        ),
        (user(json!([{"type": "text", "text": "x", "cache": 1}])), "messages[0].content[0].cache", "unknown_parameter"),
    ]
}

fn wrong_sampling() -> Vec<WrongField> {
    vec![
        (json!({"stream": "yes"}), "stream", "invalid_type"),
        (json!({"stream_options": {"include_usage": true}}), "stream_options", "invalid_value"),
        (json!({"stream": true, "stream_options": {"usage": true}}), "stream_options.usage", "unknown_parameter"),
        (
            json!({"stream": true, "stream_options": {"include_obfuscation": true}}),
            "stream_options.include_obfuscation",
            "unsupported_parameter",
        ),
        (json!({"temperature": -0.1}), "temperature", "invalid_value"),
        (json!({"temperature": 2.01}), "temperature", "invalid_value"),
        (json!({"temperature": "hot"}), "temperature", "invalid_type"),
        (json!({"top_p": 1.01}), "top_p", "invalid_value"),
        (json!({"top_k": -2}), "top_k", "invalid_value"),
        (json!({"top_k": 1.5}), "top_k", "invalid_type"),
        (json!({"top_k": 1_u64 << 40}), "top_k", "invalid_value"),
        (json!({"min_p": 2}), "min_p", "invalid_value"),
        (json!({"frequency_penalty": 3}), "frequency_penalty", "invalid_value"),
        (json!({"presence_penalty": -3}), "presence_penalty", "invalid_value"),
        (json!({"repetition_penalty": 0}), "repetition_penalty", "invalid_value"),
        (json!({"seed": 1.5}), "seed", "invalid_type"),
        (json!({"max_tokens": 0}), "max_tokens", "invalid_value"),
        (json!({"max_tokens": -1}), "max_tokens", "invalid_type"),
        (json!({"max_completion_tokens": 1_u64 << 33}), "max_completion_tokens", "invalid_value"),
        (json!({"max_tokens": 1, "max_completion_tokens": 2}), "max_tokens", "invalid_value"),
        (json!({"stop": ""}), "stop", "invalid_value"),
        (json!({"stop": ["a", "b", "c", "d", "e"]}), "stop", "invalid_value"),
        (json!({"stop": ["x".repeat(257)]}), "stop", "invalid_value"),
        (json!({"stop": 5}), "stop", "invalid_type"),
        (json!({"logprobs": 5}), "logprobs", "invalid_type"),
        (json!({"top_logprobs": 5}), "top_logprobs", "invalid_value"),
        (json!({"logprobs": true, "top_logprobs": 21}), "top_logprobs", "invalid_value"),
        (json!({"logit_bias": {"x": 1}}), "logit_bias", "invalid_type"),
        (json!({"logit_bias": {"1": 101}}), "logit_bias", "invalid_type"),
        (
            json!({"logit_bias": (0..1025).map(|id| (id.to_string(), 1.into())).collect::<serde_json::Map<_, Value>>()}),
            "logit_bias",
            "invalid_type",
        ),
    ]
}

fn wrong_others() -> Vec<WrongField> {
    vec![
        (json!({"n": 2}), "n", "unsupported_parameter"),
        (json!({"n": 0}), "n", "unsupported_parameter"),
        (json!({"user": "x".repeat(513)}), "user", "invalid_value"),
        (json!({"store": true}), "store", "unsupported_parameter"),
        (json!({"metadata": {"a": 1}}), "metadata", "invalid_type"),
        (json!({"metadata": {"a": "x".repeat(513)}}), "metadata", "invalid_value"),
        (json!({"response_format": {"type": "json_object"}}), "response_format", "unsupported_parameter"),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {}}}),
            "response_format",
            "unsupported_parameter",
        ),
        (json!({"tools": []}), "tools", "unsupported_parameter"),
        (json!({"tool_choice": "none"}), "tool_choice", "unsupported_parameter"),
        (json!({"reasoning_effort": "low"}), "reasoning_effort", "unsupported_parameter"),
        (json!({"service_tier": "auto"}), "service_tier", "unsupported_parameter"),
        (json!({"tempreature": 1}), "tempreature", "unknown_parameter"),
        (json!({"future": null}), "future", "unknown_parameter"),
    ]
}

#[tokio::test]
async fn malformed_bodies_are_refused() {
    let api = Api::start().await;
    let post = |body: Vec<u8>| api.request("POST", "/v1/chat/completions", body);
    let deep = format!("{{\"messages\":{}", "[".repeat(1 << 20)).into_bytes();
    let many = format!("{{{}\"z\":1}}", (0..100).map(|n| format!("\"f{n}\":1,")).collect::<String>()).into_bytes();
    let foreign = [vec![b'{', 0xff, b'}'], deep, many];
    for body in MALFORMED.iter().map(|body| body.as_bytes().to_vec()).chain(foreign) {
        let what = String::from_utf8_lossy(&body).chars().take(60).collect::<String>();
        let error = error(api.send(post(body)).await, 400, &what).await;
        assert_eq!((&error["type"], &error["code"]), (&"invalid_request_error".into(), &"invalid_body".into()));
    }
}

#[tokio::test]
async fn wrong_fields_are_refused_by_name() {
    let api = Api::start().await;
    for (fields, param, code) in wrong_conversations().into_iter().chain(wrong_sampling()).chain(wrong_others()) {
        let mut body = json!({"model": "lull-demo", "messages": [{"role": "user", "content": "Hi"}]});
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        let what = fields.to_string();
        let error = error(api.send(api.ask(&body)).await, 400, &what).await;
        assert_eq!((&error["param"], &error["code"]), (&param.into(), &code.into()), "{what}: {error}");
        assert_eq!(error["type"], "invalid_request_error");
        let message = error["message"].as_str().unwrap();
        for foreign in ["u64", "i64", "f32", "f64", "enum", "variant", "invalid type", "line ", "column", "struct"] {
            assert!(!message.contains(foreign), "{what}: {message}");
        }
        if code == "invalid_type" {
            assert!(message.starts_with(&format!("\"{param}\" must be ")), "{what}: {message}");
        }
    }
    assert!(api.asked.is_empty(), "nothing reached the node");
}

#[tokio::test]
async fn a_wrong_type_is_explained_in_plain_words() {
    let api = Api::start().await;
    let rows = [
        (json!({"seed": 1.5}), "\"seed\" must be a whole number of at most 64 bits."),
        (json!({"max_tokens": "many"}), "\"max_tokens\" must be a whole number, 0 or more."),
        (json!({"temperature": "hot"}), "\"temperature\" must be a number."),
        (json!({"stop": 5}), "\"stop\" must be a text or a list of texts."),
        (json!({"stream": "yes"}), "\"stream\" must be true or false."),
        (json!({"messages": [5]}), "\"messages[0]\" must be an object with at most 64 fields, none of them twice."),
    ];
    for (fields, message) in rows {
        let mut body = json!({"model": "lull-demo", "messages": [{"role": "user", "content": "Hi"}]});
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        assert_eq!(error(api.send(api.ask(&body)).await, 400, message).await["message"], message);
    }
}

/// What is logged while it is set as the thread's subscriber.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn unusable_keys_are_logged_when_the_api_starts() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("keys.json"), [0xff, 0x00]).unwrap();
    let keys = lull_node::Keys::open(home.path()).unwrap();
    let kept = Kept::default();
    let writer = kept.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let log = tracing::subscriber::set_default(subscriber);
    lull_api::serve(listener, support::node(), keys, async {}).await.unwrap();
    drop(log);
    let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("WARN") && log.contains("keys.json is damaged"), "{log}");
}

#[tokio::test]
async fn an_answer_without_an_end_is_a_failure() {
    let mut api = Api::start().await;
    for events in [vec![], vec![started()], vec![started(), support::token(0, "half")]] {
        let body = json!({"model": "lull-demo", "messages": [{"role": "user", "content": "Hi"}]});
        let what = format!("{} events", events.len());
        let (_, answer) = api.exchange(&body, events.clone()).await;
        assert!(error(answer, 502, &what).await["message"].as_str().unwrap().contains("ask again"));
        let body = json!({"model": "lull-demo", "messages": [{"role": "user", "content": "Hi"}], "stream": true});
        let (_, answer) = api.exchange(&body, events.clone()).await;
        if events.is_empty() {
            error(answer, 502, &what).await;
        } else {
            let text = answer.text().await;
            assert!(text.contains("\"error\"") && !text.contains("[DONE]"), "{what}: {text}");
        }
    }
}

#[tokio::test]
async fn bodies_that_are_too_large_or_no_json_are_refused() {
    let api = Api::start().await;
    let body = json!({"model": "lull-demo", "messages": [{"role": "user", "content": "x".repeat(BODY_BYTES_MAX)}]});
    let error_413 = error(api.send(api.ask(&body)).await, 413, "too large").await;
    assert_eq!(error_413["code"], "body_too_large");
    let mut plain = api.ask(&json!({}));
    plain.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    error(api.send(plain).await, 400, "text").await;
    let mut untyped = api.ask(&json!({}));
    untyped.headers_mut().remove(CONTENT_TYPE);
    error(api.send(untyped).await, 400, "untyped").await;
}

#[tokio::test]
async fn only_a_valid_key_opens() {
    let api = Api::start().await;
    let good = format!("Bearer {}", api.key);
    let bad =
        ["", "Bearer", "Bearer ", "Bearer wrong", &format!("Basic {}", api.key), &api.key, &good[..good.len() - 1]];
    for (method, path) in [("GET", "/v1/models"), ("POST", "/v1/chat/completions"), ("GET", "/nowhere")] {
        for value in bad {
            let mut request = api.request(method, path, "{}");
            request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            let answer = api.send(request).await;
            assert_eq!(answer.header("www-authenticate"), "Bearer");
            let error = error(answer, 401, value).await;
            assert_eq!(error["code"], "invalid_api_key");
        }
        let mut request = api.request(method, path, "{}");
        request.headers_mut().remove(AUTHORIZATION);
        let error = error(api.send(request).await, 401, "none").await;
        assert!(error["message"].as_str().unwrap().contains("lull key create"));
    }
    let mut request = api.request("GET", "/v1/models", "");
    request.headers_mut().insert(AUTHORIZATION, format!("bearer {}", api.key).parse().unwrap());
    assert_eq!(api.send(request).await.status(), 200);
    let path = api.home.path().join("keys.json");
    let sound = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "broken").unwrap();
    let error = error(api.send(api.request("GET", "/v1/models", "")).await, 401, "damaged").await;
    assert!(error["message"].as_str().unwrap().contains("key file cannot be used"));
    fs::remove_file(&path).unwrap();
    fs::write(&path, sound).unwrap();
    assert_eq!(api.send(api.request("GET", "/v1/models", "")).await.status(), 200);
    api.keys.revoke("test").unwrap();
    assert_eq!(api.send(api.request("GET", "/v1/models", "")).await.status(), 401);
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_refused() {
    let api = Api::start().await;
    let with = |name: HeaderName, value: &str| {
        let mut request = api.request("GET", "/v1/models", "");
        request.headers_mut().insert(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        request
    };
    for host in ["localhost", "LOCALHOST:1", "127.0.0.1:9999", "[::1]:5855", "[::1]"] {
        assert_eq!(api.send(with(HOST, host)).await.status(), 200, "{host}");
    }
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil@localhost",
        "",
        "0.0.0.0",
        "127.0.0.2",
        "[::]",
        "localhost, evil",
    ] {
        error(api.send(with(HOST, host)).await, 403, host).await;
    }
    let mut absolute = api.request("GET", "http://evil.example/v1/models", "");
    absolute.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
    error(api.send(absolute).await, 403, "absolute").await;
    let mut twice = with(HOST, "localhost");
    twice.headers_mut().append(HOST, HeaderValue::from_static("evil.example"));
    error(api.send(twice).await, 403, "two hosts").await;

    for origin in ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:8080"] {
        let answer = api.send(with(ORIGIN, origin)).await;
        assert_eq!((answer.status().as_u16(), answer.header("access-control-allow-origin")), (200, origin));
        assert!(answer.header("access-control-expose-headers").contains("x-lull-lender"));
    }
    for origin in [
        "http://evil.example",
        "null",
        "http://localhost.evil.example",
        "file://",
        "ftp://localhost",
        "http://evil@localhost",
        "",
    ] {
        let answer = api.send(with(ORIGIN, origin)).await;
        assert_eq!(answer.header("access-control-allow-origin"), "");
        error(answer, 403, origin).await;
    }
}

#[tokio::test]
async fn a_preflight_from_this_machine_is_answered_without_a_key() {
    let api = Api::start().await;
    let ask = |origin: &'static str, path| {
        let mut request = api.request("OPTIONS", path, "");
        let headers = request.headers_mut();
        headers.remove(AUTHORIZATION);
        headers.insert(ORIGIN, HeaderValue::from_static(origin));
        headers.insert("access-control-request-method", HeaderValue::from_static("POST"));
        let names = "Authorization, content-type,x-stainless-os,x-stainless-retry-count,X-Lull-Label,x-evil";
        headers.insert("access-control-request-headers", HeaderValue::from_static(names));
        request
    };
    let answer = api.send(ask("http://localhost:5173", "/v1/chat/completions")).await;
    assert_eq!(answer.status(), 204);
    assert_eq!(answer.header("access-control-allow-origin"), "http://localhost:5173");
    assert_eq!(answer.header("access-control-allow-methods"), "GET, POST");
    let expected = "authorization, content-type, x-stainless-os, x-stainless-retry-count, x-lull-label";
    assert_eq!(answer.header("access-control-allow-headers"), expected);
    assert_eq!(answer.header("vary"), "Origin");
    error(api.send(ask("https://evil.example", "/v1/models")).await, 403, "foreign preflight").await;
    let mut plain = api.request("OPTIONS", "/v1/models", "");
    plain.headers_mut().remove(AUTHORIZATION);
    error(api.send(plain).await, 401, "no preflight").await;
}

#[tokio::test]
async fn routes_methods_and_models_that_are_not_there() {
    let api = Api::start().await;
    for path in ["/", "/v1", "/v1/chat", "/v1/completions", "/v1/models/", "/v1/chat/completions/", "/admin"] {
        error(api.send(api.request("GET", path, "")).await, 404, path).await;
    }
    for (method, path) in [("POST", "/v1/models"), ("GET", "/v1/chat/completions"), ("DELETE", "/v1/models/lull-demo")]
    {
        let answer = api.send(api.request(method, path, "")).await;
        assert!(!answer.header("allow").is_empty(), "{path}");
        error(answer, 405, path).await;
    }
    let error_404 = error(api.send(api.request("GET", "/v1/models/gpt-4o", "")).await, 404, "model").await;
    assert_eq!((&error_404["code"], &error_404["param"]), (&"model_not_found".into(), &"model".into()));
    let body = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]});
    let error_404 = error(api.send(api.ask(&body)).await, 404, "chat").await;
    assert_eq!((&error_404["code"], &error_404["param"]), (&"model_not_found".into(), &"model".into()));

    let list = api.send(api.request("GET", "/v1/models", "")).await.json().await;
    let model = |id| json!({"id": id, "object": "model", "created": 0, "owned_by": "lull"});
    assert_eq!(list, json!({"object": "list", "data": [model("lull-demo"), model("qwen2.5-7b")]}));
    let one = api.send(api.request("GET", "/v1/models/qwen2.5-7b", "")).await.json().await;
    assert_eq!(one, model("qwen2.5-7b"));
}

#[tokio::test]
async fn labels_are_checked_and_passed_on() {
    let mut api = Api::start().await;
    let body = json!({"model": "lull-demo", "messages": [{"role": "user", "content": "Hi"}]});
    for label in ["", "Secret", "a b", "ü", &"x".repeat(33)] {
        let mut request = api.ask(&body);
        request.headers_mut().insert("x-lull-label", HeaderValue::from_bytes(label.as_bytes()).unwrap());
        let error = error(api.send(request).await, 400, label).await;
        assert_eq!(error["param"], "x-lull-label");
    }
    let mut twice = api.ask(&body);
    twice.headers_mut().append("x-lull-label", HeaderValue::from_static("public"));
    twice.headers_mut().append("x-lull-label", HeaderValue::from_static("confidential"));
    error(api.send(twice).await, 400, "two labels").await;
    let mut request = api.ask(&body);
    request.headers_mut().insert("x-lull-label", HeaderValue::from_static("confidential"));
    let sending = tokio::spawn(support::send_to(api.addr, request));
    let (asked, _events) = api.next_asked().await;
    assert_eq!(asked.label.as_str(), "confidential");
    sending.abort();
}

#[tokio::test]
async fn a_fault_before_the_start_has_its_own_status_even_for_a_stream() {
    let mut api = Api::start().await;
    let rows = [
        (Code::BadRequest, 400, "bad_request", "invalid_request_error", false),
        (Code::ContextExceeded, 400, "context_length_exceeded", "invalid_request_error", false),
        (Code::Forbidden, 403, "forbidden", "permission_error", false),
        (Code::ModelUnknown, 404, "model_not_found", "invalid_request_error", false),
        (Code::NoLender, 503, "no_lender", "service_unavailable_error", true),
        (Code::Busy, 503, "busy", "service_unavailable_error", true),
        (Code::RelayUnreachable, 503, "relay_unreachable", "service_unavailable_error", true),
        (Code::NotEnrolled, 503, "not_enrolled", "service_unavailable_error", false),
        (Code::LenderLost, 502, "lender_lost", "server_error", false),
        (Code::LenderUntrusted, 502, "lender_untrusted", "server_error", false),
        (Code::WorkerDied, 502, "worker_died", "server_error", false),
        (Code::Timeout, 504, "timeout", "server_error", false),
        (Code::Internal, 500, "internal", "server_error", false),
    ];
    for (fault, status, code, kind, retry) in rows {
        for stream in [false, true] {
            let body = json!({"model": "lull-demo", "messages": [{"role": "user", "content": "Hi"}], "stream": stream});
            let events =
                vec![ChatEvent::Queued { ahead: 1 }, ChatEvent::Failed(Fault::new(fault, "what, and what to do"))];
            let (_, answer) = api.exchange(&body, events).await;
            assert_eq!(answer.headers().contains_key("retry-after"), retry, "{code}");
            let error = error(answer, status, code).await;
            assert_eq!((&error["code"], &error["type"]), (&code.into(), &kind.into()));
            assert_eq!(error["message"], "what, and what to do");
        }
    }
}

#[tokio::test]
async fn bytes_that_are_no_http_end_the_connection_only() {
    let api = Api::start().await;
    for bytes in
        [&b"\x16\x03\x01\x02\x00\x01"[..], b"GET / HTTP/1.1\r\nbroken\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    {
        let mut stream = TcpStream::connect(api.addr).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut rest = Vec::new();
        let _ = wait(stream.read_to_end(&mut rest)).await;
        assert!(!rest.starts_with(b"HTTP/1.1 2"));
    }
    let mut stream = TcpStream::connect(api.addr).await.unwrap();
    stream.write_all(b"GET /v1/models HTTP/1.0\r\n\r\n").await.unwrap();
    let mut rest = String::new();
    wait(stream.read_to_string(&mut rest)).await.unwrap();
    assert!(rest.contains(" 403 "), "no Host: {rest}");
    assert_eq!(api.send(api.request("GET", "/v1/models", "")).await.status(), 200);
}

#[tokio::test]
async fn stopping_lets_an_answer_end_and_takes_no_new_one() {
    let mut api = Api::start().await;
    let body = json!({"model": "lull-demo", "messages": [{"role": "user", "content": "Hi"}], "stream": true});
    let sending = tokio::spawn(support::send_to(api.addr, api.ask(&body)));
    let (_, events) = api.next_asked().await;
    events.send(started()).await.unwrap();
    let answer = wait(sending).await.unwrap();
    api.stop.take().unwrap().send(()).unwrap();
    events.send(support::token(0, "last words")).await.unwrap();
    events.send(support::done(lull_types::FinishReason::Stop)).await.unwrap();
    let text = answer.text().await;
    assert!(text.contains("last words") && text.ends_with("data: [DONE]\n\n"), "{text}");
    wait(&mut api.served).await.unwrap().unwrap();
    assert!(TcpStream::connect(api.addr).await.is_err());
}
