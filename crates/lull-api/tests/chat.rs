//! Answers, whole and streamed.

#![cfg(test)]

#[path = "support/mod.rs"]
#[expect(dead_code, reason = "each test binary uses a part")]
mod support;

use lull_types::{ChatEvent, Code, Fault, FinishReason, Label, Role, Sampling, Token, TokenLogprob};
use serde_json::{Value, json};
use support::{Answer, Api, done, send_to, started, token, wait};

fn question() -> Value {
    json!({"model": "lull-demo", "messages": [{"role": "user", "content": "Hi"}]})
}

fn with(more: &Value) -> Value {
    let mut body = question();
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn likely(id: u32, bytes: &[u8], logprob: f32) -> TokenLogprob {
    TokenLogprob { id, bytes: bytes.to_vec(), logprob }
}

/// The stream's data lines, parsed; `[DONE]` as text.
async fn data(answer: Answer) -> Vec<Value> {
    let text = answer.text().await;
    let lines = text.split("\n\n").filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let data = line.strip_prefix("data: ").unwrap_or_else(|| panic!("no data: {line:?}"));
            serde_json::from_str(data).unwrap_or_else(|_| data.into())
        })
        .collect()
}

#[tokio::test]
async fn a_whole_answer_has_the_shape_that_clients_know() {
    let mut api = Api::start().await;
    let events = vec![
        ChatEvent::Queued { ahead: 2 },
        started(),
        token(0, "One "),
        token(1, ""),
        token(2, "word"),
        ChatEvent::Tail { text: ".".into() },
        done(FinishReason::Length),
    ];
    let (_, answer) = api.exchange(&question(), events).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("x-lull-lender"), "Zo%C3%AB%27s%20desk");
    assert_eq!(answer.header("x-lull-job"), "07".repeat(16));
    let mut body = answer.json().await;
    assert!(body["created"].as_u64().unwrap() > 1_600_000_000);
    body["created"] = 0.into();
    let expected = json!({
        "id": format!("chatcmpl-{}", "07".repeat(16)),
        "object": "chat.completion",
        "created": 0,
        "model": "lull-demo",
        "system_fingerprint": "fp_abababab",
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": "One word.", "refusal": null},
            "logprobs": null,
            "finish_reason": "length",
        }],
        "usage": {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14},
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_stream_has_role_text_reason_usage_and_end_in_this_order() {
    let mut api = Api::start().await;
    let body = with(&json!({"stream": true, "stream_options": {"include_usage": true}}));
    let events =
        vec![started(), token(0, "a"), token(1, ""), ChatEvent::Tail { text: "b".into() }, done(FinishReason::Stop)];
    let (_, answer) = api.exchange(&body, events).await;
    assert_eq!((answer.status().as_u16(), answer.header("content-type")), (200, "text/event-stream"));
    assert_eq!(answer.header("x-lull-job"), "07".repeat(16));
    assert_eq!(answer.header("x-lull-lender"), "Zo%C3%AB%27s%20desk");
    let data = data(answer).await;
    let choices: Vec<Value> = data[..4].iter().map(|chunk| chunk["choices"][0].clone()).collect();
    let choice =
        |delta: Value, reason: Value| json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": reason});
    assert_eq!(
        choices,
        [
            choice(json!({"role": "assistant", "content": ""}), Value::Null),
            choice(json!({"content": "a"}), Value::Null),
            choice(json!({"content": "b"}), Value::Null),
            choice(json!({}), "stop".into()),
        ]
    );
    for chunk in &data[..4] {
        assert_eq!((&chunk["object"], chunk.get("usage")), (&"chat.completion.chunk".into(), Some(&Value::Null)));
        assert_eq!((&chunk["id"], &chunk["created"]), (&data[0]["id"], &data[0]["created"]));
    }
    assert_eq!(data[4]["choices"], json!([]));
    assert_eq!(data[4]["usage"], json!({"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}));
    assert_eq!(data[5..], ["[DONE]"]);

    let events = vec![started(), token(0, "a"), done(FinishReason::Stop)];
    let (_, answer) = api.exchange(&with(&json!({"stream": true})), events).await;
    let plain = self::data(answer).await;
    assert_eq!(plain.len(), 4);
    assert!(plain.iter().all(|chunk| chunk.get("usage").is_none()), "{plain:?}");
}

#[tokio::test]
async fn each_token_reaches_the_client_before_the_next_one_is_made() {
    let mut api = Api::start().await;
    let request = api.ask(&with(&json!({"stream": true})));
    let sending = tokio::spawn(send_to(api.addr, request));
    let (_, events) = api.next_asked().await;
    events.send(started()).await.unwrap();
    let mut answer = wait(sending).await.unwrap();
    assert!(answer.piece().await.unwrap().contains("\"role\":\"assistant\""));
    for (position, text) in ["un", "deux", "trois"].into_iter().enumerate() {
        events.send(token(u32::try_from(position).unwrap(), text)).await.unwrap();
        let piece = answer.piece().await.unwrap();
        assert!(piece.contains(text) && piece.matches("data: ").count() == 1, "{piece}");
    }
    events.send(done(FinishReason::Stop)).await.unwrap();
    assert!(answer.piece().await.unwrap().ends_with("data: [DONE]\n\n"));
    assert_eq!(answer.piece().await, None);
}

#[tokio::test]
async fn a_failure_in_the_middle_is_an_event_and_no_end() {
    let mut api = Api::start().await;
    let lost = || ChatEvent::Failed(Fault::new(Code::LenderLost, "the lender went away"));
    let (_, answer) = api.exchange(&with(&json!({"stream": true})), vec![started(), token(0, "a"), lost()]).await;
    assert_eq!(answer.status(), 200);
    let data = data(answer).await;
    let error = &data[2]["error"];
    assert_eq!((&error["code"], &error["message"]), (&"lender_lost".into(), &"the lender went away".into()));
    assert_eq!((&error["type"], data.len()), (&"server_error".into(), 3));

    let (_, answer) = api.exchange(&question(), vec![started(), token(0, "a"), lost()]).await;
    assert_eq!(answer.status(), 502);
    let (_, answer) = api.exchange(&question(), vec![started(), token(0, "a")]).await;
    assert_eq!(answer.status(), 502, "the node stopped");
}

#[tokio::test]
async fn a_job_that_moves_is_one_answer() {
    let mut api = Api::start().await;
    let moved = || {
        vec![
            started(),
            token(0, "a"),
            ChatEvent::Queued { ahead: 0 },
            started(),
            token(1, "b"),
            done(FinishReason::Stop),
        ]
    };
    let (_, answer) = api.exchange(&question(), moved()).await;
    assert_eq!(answer.json().await["choices"][0]["message"]["content"], "ab");
    let (_, answer) = api.exchange(&with(&json!({"stream": true})), moved()).await;
    assert_eq!(data(answer).await.len(), 5);
}

#[tokio::test]
async fn probabilities_have_the_shape_that_clients_know() {
    let mut api = Api::start().await;
    let told = || {
        ChatEvent::Token(Token {
            position: 0,
            id: 5,
            text: String::new(),
            logprob: Some(likely(5, "é".as_bytes(), -0.5)),
            top: vec![likely(5, "é".as_bytes(), -0.5), likely(6, &[0xff], f32::NEG_INFINITY)],
        })
    };
    let content = json!([{
        "token": "é", "logprob": -0.5, "bytes": [195, 169],
        "top_logprobs": [
            {"token": "é", "logprob": -0.5, "bytes": [195, 169]},
            {"token": "\u{fffd}", "logprob": -9999.0, "bytes": [255]},
        ],
    }]);
    let body = with(&json!({"logprobs": true, "top_logprobs": 2}));
    let (asked, answer) = api.exchange(&body, vec![started(), told(), done(FinishReason::Stop)]).await;
    assert_eq!(asked.sampling.logprobs, Some(2));
    assert_eq!(answer.json().await["choices"][0]["logprobs"], json!({"content": content, "refusal": null}));
    let body = with(&json!({"logprobs": true, "stream": true}));
    let (asked, answer) = api.exchange(&body, vec![started(), told(), done(FinishReason::Stop)]).await;
    assert_eq!(asked.sampling.logprobs, Some(0));
    let data = data(answer).await;
    assert_eq!(data[1]["choices"][0]["logprobs"], json!({"content": content, "refusal": null}));
    assert_eq!(data[2]["choices"][0]["logprobs"], Value::Null);
}

#[tokio::test]
async fn hanging_up_cancels_the_job_at_every_stage() {
    let mut api = Api::start().await;
    for stream in [false, true] {
        for stage in 0..3 {
            let request = api.ask(&with(&json!({"stream": stream})));
            let addr = api.addr;
            let client = tokio::spawn(async move {
                let mut answer = send_to(addr, request).await;
                while answer.piece().await.is_some() {}
            });
            let (_, events) = api.next_asked().await;
            for event in [started(), token(0, "a")].into_iter().take(stage) {
                events.send(event).await.unwrap();
            }
            assert!(!events.is_closed());
            client.abort();
            assert!(client.await.unwrap_err().is_cancelled());
            wait(events.closed()).await;
        }
    }
}

#[tokio::test]
async fn parameters_reach_the_node_as_they_were_meant() {
    let mut api = Api::start().await;
    let end = || vec![started(), done(FinishReason::Stop)];
    let (asked, _) = api.exchange(&question(), end()).await;
    let defaults = Sampling { max_tokens: Sampling::MAX_TOKENS_MAX, seed: asked.sampling.seed, ..Sampling::default() };
    assert_eq!((&asked.sampling, &asked.label), (&defaults, &Label::internal()));
    assert!((asked.sampling.temperature - 1.0).abs() < f32::EPSILON);
    let (again, _) = api.exchange(&question(), end()).await;
    assert_ne!(asked.sampling.seed, again.sampling.seed, "random");

    let body = with(&json!({
        "temperature": 0.25, "top_p": 0.5, "top_k": 40, "min_p": 0.125, "frequency_penalty": -2, "presence_penalty": 2,
        "repetition_penalty": 1.5, "logit_bias": {"50": -100, "7": 1.5}, "seed": 42, "max_tokens": 9,
        "max_completion_tokens": 9, "stop": ["a", "b"], "n": 1, "user": "me", "store": false,
        "metadata": {"a": "b"}, "response_format": {"type": "text"}, "logprobs": false, "tools": null, "stream": null,
    }));
    let (asked, _) = api.exchange(&body, end()).await;
    let expected = Sampling {
        temperature: 0.25,
        top_p: 0.5,
        top_k: 40,
        min_p: 0.125,
        frequency_penalty: -2.0,
        presence_penalty: 2.0,
        repetition_penalty: 1.5,
        bias: vec![(50, -100.0), (7, 1.5)],
        seed: 42,
        max_tokens: 9,
        stop: vec!["a".into(), "b".into()],
        logprobs: None,
    };
    assert_eq!(asked.sampling, expected);

    let seeds = [(json!(-1), u64::MAX), (json!(u64::MAX), u64::MAX), (json!(0), 0), (json!(i64::MIN), 1 << 63)];
    for (seed, expected) in seeds {
        let body = with(&json!({"seed": seed, "stop": "one", "top_p": 0, "top_k": -1, "max_completion_tokens": 4}));
        let (asked, _) = api.exchange(&body, end()).await;
        assert_eq!((asked.sampling.seed, asked.sampling.top_k, asked.sampling.max_tokens), (expected, 0, 4));
        assert_eq!(asked.sampling.stop, ["one"]);
        assert!(asked.sampling.top_p > 0.0 && asked.sampling.top_p < 1e-30);
    }
}

#[tokio::test]
async fn conversations_reach_the_node_as_they_were_meant() {
    let mut api = Api::start().await;
    let body = with(&json!({"messages": [
        {"role": "developer", "content": "be brief"},
        {"role": "system", "content": ""},
        {"role": "user", "content": [{"type": "text", "text": "a\n"}, {"type": "text", "text": "ü\u{0}"}]},
        {"role": "assistant", "content": "b", "refusal": null, "tool_calls": null, "audio": null, "annotations": [], "function_call": null},
        {"role": "user", "content": "c", "name": null},
    ]}));
    let (asked, _) = api.exchange(&body, vec![started(), done(FinishReason::Stop)]).await;
    let said: Vec<(Role, &str)> = asked.messages.iter().map(|said| (said.role, said.content.as_str())).collect();
    let expected = [
        (Role::System, "be brief"),
        (Role::System, ""),
        (Role::User, "a\nü\u{0}"),
        (Role::Assistant, "b"),
        (Role::User, "c"),
    ];
    assert_eq!(said, expected);
}
