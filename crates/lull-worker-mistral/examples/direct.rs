//! mistral.rs without Lull between, for `./x bench engine`: one line of JSON in, one run, one line of JSON out.
//!
//! usage: direct FOLDER THREADS CONTEXT
//! in:    {"prompt_tokens": 128, "tokens": 33}
//! out:   {"prefill_s": 1.5, "decode_s": 1.2, "tokens": 32}

use std::{
    io::{BufRead, Write},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use mistralrs::{
    DeviceMapSetting, GgufModelBuilder, Model, NormalRequest, Request, RequestMessage, SamplingParams, TokenSource,
    core::Response,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

#[tokio::main]
async fn main() -> Result<()> {
    let folder = std::env::args().nth(1).context("usage: direct FOLDER THREADS CONTEXT")?;
    let model = GgufModelBuilder::new(&folder, vec!["model.gguf"])
        .with_tok_model_id(&folder)
        .with_token_source(TokenSource::None)
        .with_prefix_cache_n(None)
        .with_max_num_seqs(1)
        .with_force_cpu()
        .with_device_mapping(DeviceMapSetting::dummy())
        .build()
        .await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", json!({ "ready": true }))?;
    out.flush()?;
    for line in std::io::stdin().lock().lines() {
        let asked: Value = serde_json::from_str(&line?)?;
        let number = |name: &str| asked.get(name).and_then(Value::as_u64).with_context(|| format!("no {name}"));
        let measured = run(&model, number("prompt_tokens")? as u32, number("tokens")? as usize).await?;
        writeln!(out, "{measured}")?;
        out.flush()?;
    }
    Ok(())
}

async fn run(model: &Model, prompt: u32, tokens: usize) -> Result<Value> {
    let ids = (0..prompt).map(|at| 100 + at * 7 % 26).collect();
    let (response, mut responses) = mpsc::channel(16);
    let params = SamplingParams { max_len: Some(tokens), ..SamplingParams::deterministic() };
    let id = model.inner().next_request_id();
    let mut request =
        NormalRequest::new_simple(RequestMessage::CompletionTokens(ids), params, response, id, None, None);
    request.is_streaming = true;
    let sender = model.inner().get_sender(None).map_err(|error| anyhow::anyhow!("{error}"))?;
    let started = Instant::now();
    if sender.send(Request::Normal(Box::new(request))).await.is_err() {
        bail!("the engine is gone");
    }
    // A chunk comes with each token unless it is half a character; so the end's reason says how many there were.
    let (mut first, mut reason) = (None, None);
    while let Some(response) = responses.recv().await {
        match response {
            Response::CompletionChunk(chunk) => {
                first.get_or_insert_with(Instant::now);
                reason = chunk.choices.into_iter().find_map(|choice| choice.finish_reason);
                if reason.is_some() {
                    break;
                }
            }
            Response::InternalError(error) | Response::ValidationError(error) => bail!("the engine failed: {error}"),
            _ => bail!("the engine answered with something else"),
        }
    }
    let first = first.context("no token came")?;
    let (prefill_s, decode_s) = ((first - started).as_secs_f64(), first.elapsed().as_secs_f64());
    if reason.as_deref() != Some("length") {
        bail!("the answer ended by {reason:?} instead of its length");
    }
    Ok(json!({ "prefill_s": prefill_s, "decode_s": decode_s, "tokens": tokens - 1 }))
}
