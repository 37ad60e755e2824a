//! The local API in front of a node that makes its answers up: to try clients without a pool or a model.
//!
//! `cargo run -p lull-api --example fake_node` prints BASE_URL and KEY, one per line, and serves until it is stopped.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use futures::future::BoxFuture;
use lull_node::{Chat, Keys, NodeApi};
use lull_types::{
    Answered, ChatEvent, ChatRequest, Code, Event, Fault, FinishReason, JobId, JobTimings, ModelHash, ModelPlace,
    ModelView, NodeId, Request, Response, Token, TokenLogprob, Usage,
};
use tokio::{
    net::TcpListener,
    sync::{broadcast, mpsc},
};

/// What the fake model can say.
const WORDS: [&str; 8] = ["Lull ", "lends ", "quiet ", "machines ", "and ", "never ", "reads ", "prompts. "];
/// How many words an answer has, if nothing ends it earlier.
const ANSWER_WORDS: u32 = 40;
/// How long a word takes.
const WORD_TIME: Duration = Duration::from_millis(5);

struct FakeNode(broadcast::Sender<Event>);

impl NodeApi for FakeNode {
    fn call(&self, _: Request) -> BoxFuture<'_, Result<Response, Fault>> {
        let demo = ModelView {
            name: "lull-demo".into(),
            hash: Some(ModelHash([7; 32])),
            place: ModelPlace::Here,
            lenders: 1,
            bytes: None,
            context: Some(2048),
            decode_tps: None,
            fault: None,
        };
        Box::pin(async { Ok(Response::Models { models: vec![demo], adding: Vec::new() }) })
    }

    fn chat(&self, request: ChatRequest) -> BoxFuture<'_, Result<Chat, Fault>> {
        Box::pin(async move {
            if request.model != "lull-demo" {
                return Err(Fault::new(Code::ModelUnknown, "there is no such model; see /v1/models"));
            }
            let (events, chat) = mpsc::channel(16);
            tokio::spawn(answer(request, events));
            Ok(Chat(chat))
        })
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }
}

/// Says words until a bound, a stop string or a hang-up; the same ones for the same seed.
async fn answer(request: ChatRequest, events: mpsc::Sender<ChatEvent>) -> Option<()> {
    let by =
        Answered { node: NodeId([1; 16]), name: "made up".into(), model: ModelHash([7; 32]), machine: String::new() };
    events.send(ChatEvent::Started { job: job_id(&request), by }).await.ok()?;
    let sampling = &request.sampling;
    let seed = if sampling.temperature == 0.0 { 0 } else { sampling.seed };
    let wanted = ANSWER_WORDS.min(sampling.max_tokens);
    let mut finish = if wanted < ANSWER_WORDS { FinishReason::Length } else { FinishReason::Stop };
    let whole: String = (0..wanted).map(|position| WORDS[choice(seed, position)]).collect();
    let stop = sampling.stop.iter().filter_map(|stop| Some((whole.find(stop.as_str())?, stop.len()))).min();
    let (text_end, needed) = stop.map_or((whole.len(), whole.len()), |(at, length)| (at, at + length));
    let (mut position, mut at) = (0, 0);
    while at < needed {
        let id = choice(seed, position);
        let end = at + WORDS[id].len();
        let text = whole[at.min(text_end)..end.min(text_end)].to_owned();
        let id = u32::try_from(id).ok()?;
        let likely = TokenLogprob { id, bytes: whole[at..end].into(), logprob: -1.5 };
        let logprob = sampling.logprobs.map(|_| likely);
        events.send(ChatEvent::Token(Token { position, id, text, logprob, top: Vec::new() })).await.ok()?;
        (position, at) = (position + 1, end);
        tokio::time::sleep(WORD_TIME).await;
    }
    if stop.is_some() {
        finish = FinishReason::Stop;
    }
    let usage = Usage { prompt_tokens: 5, completion_tokens: position };
    events.send(ChatEvent::Done { finish, usage, timings: JobTimings::default() }).await.ok()
}

fn choice(seed: u64, position: u32) -> usize {
    let mixed = seed.wrapping_add(u64::from(position)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 61) as usize
}

fn job_id(request: &ChatRequest) -> JobId {
    JobId((u128::from(request.sampling.seed) << 64 | request.messages.len() as u128).to_be_bytes())
}

#[tokio::main]
async fn main() -> Result<()> {
    let home = tempfile::tempdir().context("no temporary folder")?;
    let keys = Keys::open(home.path())?;
    let key = keys.create("example")?;
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no port on the loopback interface")?;
    println!("BASE_URL=http://{}/v1\nKEY={key}", listener.local_addr()?);
    let node = Arc::new(FakeNode(broadcast::channel(1).0));
    let stop = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    Ok(lull_api::serve(listener, node, keys, stop).await?)
}
