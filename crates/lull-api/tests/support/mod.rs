//! A node whose answers the test gives itself, the API in front of it over real TCP, and a small client.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use lull_node::{Chat, Keys, NodeApi};
use lull_types::{
    Answered, ChatEvent, ChatRequest, Code, Event, Fault, FinishReason, JobId, JobTimings, ModelHash, ModelPlace,
    ModelView, NodeId, Token, Usage,
};
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{broadcast, mpsc, oneshot},
};

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A question that reached the node, and the way to answer it.
pub(crate) type Asked = (ChatRequest, mpsc::Sender<ChatEvent>);

struct FakeNode {
    asked: mpsc::UnboundedSender<Asked>,
    events: broadcast::Sender<Event>,
}

impl NodeApi for FakeNode {
    fn call(&self, request: lull_types::Request) -> BoxFuture<'_, Result<lull_types::Response, Fault>> {
        assert_eq!(request, lull_types::Request::Models);
        let view = |name: &str, place| ModelView {
            name: name.into(),
            hash: None,
            place,
            lenders: 0,
            bytes: None,
            context: None,
            decode_tps: None,
            fault: None,
        };
        let models = vec![view("lull-demo", ModelPlace::Both), view("qwen2.5-7b", ModelPlace::Nowhere)];
        Box::pin(async move { Ok(lull_types::Response::Models { models, adding: Vec::new() }) })
    }

    fn chat(&self, request: ChatRequest) -> BoxFuture<'_, Result<Chat, Fault>> {
        Box::pin(async move {
            if request.model != "lull-demo" {
                return Err(Fault::new(Code::ModelUnknown, "there is no such model"));
            }
            let (sender, receiver) = mpsc::channel(4);
            self.asked.send((request, sender)).map_err(|_| Fault::new(Code::Internal, "the test is over"))?;
            Ok(Chat(receiver))
        })
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}

/// A node that nobody asks.
pub(crate) fn node() -> Arc<dyn NodeApi> {
    Arc::new(FakeNode { asked: mpsc::unbounded_channel().0, events: broadcast::channel(1).0 })
}

pub(crate) struct Api {
    pub(crate) addr: SocketAddr,
    pub(crate) key: String,
    pub(crate) keys: Keys,
    pub(crate) asked: mpsc::UnboundedReceiver<Asked>,
    pub(crate) home: tempfile::TempDir,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) served: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Api {
    pub(crate) async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let keys = Keys::open(home.path()).unwrap();
        let key = keys.create("test").unwrap();
        let (sender, asked) = mpsc::unbounded_channel();
        let node = Arc::new(FakeNode { asked: sender, events: broadcast::channel(1).0 });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async {
            let _ = stopped.await;
        };
        let served = tokio::spawn(lull_api::serve(listener, node, keys.clone(), shutdown));
        Self { addr, key, keys, asked, home, stop: Some(stop), served }
    }

    /// A request with a valid key and the right host, to be changed by the test.
    pub(crate) fn request(&self, method: &str, path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
        Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.addr.to_string())
            .header(AUTHORIZATION, format!("Bearer {}", self.key))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body.into()))
            .unwrap()
    }

    pub(crate) fn ask(&self, body: &Value) -> Request<Full<Bytes>> {
        self.request("POST", "/v1/chat/completions", body.to_string())
    }

    /// Sends a request on a connection of its own.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        send_to(self.addr, request).await
    }

    pub(crate) async fn next_asked(&mut self) -> Asked {
        wait(self.asked.recv()).await.unwrap()
    }

    /// Asks, and lets the node answer with `events`; what reached the node, and what came back.
    pub(crate) async fn exchange(&mut self, body: &Value, events: Vec<ChatEvent>) -> (ChatRequest, Answer) {
        let sending = tokio::spawn(send_to(self.addr, self.ask(body)));
        let (asked, answers) = self.next_asked().await;
        tokio::spawn(async move {
            for event in events {
                if answers.send(event).await.is_err() {
                    return;
                }
            }
        });
        (asked, wait(sending).await.unwrap())
    }
}

/// Sends a request on a connection of its own; dropping the answer, or this future, hangs up.
pub(crate) async fn send_to(addr: SocketAddr, request: Request<Full<Bytes>>) -> Answer {
    let stream = TcpStream::connect(addr).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = Hangup(tokio::spawn(async move {
        let _ = connection.await;
    }));
    let response = wait(sender.send_request(request)).await.unwrap();
    Answer { response, connection, _sender: sender }
}

struct Hangup(tokio::task::JoinHandle<()>);

impl Drop for Hangup {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(crate) struct Answer {
    response: Response<Incoming>,
    connection: Hangup,
    _sender: http1::SendRequest<Full<Bytes>>,
}

impl Answer {
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The next piece of the body.
    pub(crate) async fn piece(&mut self) -> Option<String> {
        let frame = wait(self.response.body_mut().frame()).await?.unwrap();
        Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
    }

    pub(crate) async fn text(self) -> String {
        let Self { response, connection, _sender: sender } = self;
        let body = wait(response.into_body().collect()).await.unwrap().to_bytes();
        drop((connection, sender));
        String::from_utf8(body.to_vec()).unwrap()
    }

    pub(crate) async fn json(self) -> Value {
        let text = self.text().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

pub(crate) async fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it came in time")
}

pub(crate) fn started() -> ChatEvent {
    let by = Answered {
        node: NodeId([1; 16]),
        name: "Zoë's desk".into(),
        model: ModelHash([0xab; 32]),
        machine: String::new(),
    };
    ChatEvent::Started { job: JobId([7; 16]), by }
}

pub(crate) fn token(position: u32, text: &str) -> ChatEvent {
    ChatEvent::Token(Token { position, id: 40 + position, text: text.into(), logprob: None, top: Vec::new() })
}

pub(crate) fn done(finish: FinishReason) -> ChatEvent {
    let usage = Usage { prompt_tokens: 11, completion_tokens: 3 };
    ChatEvent::Done { finish, usage, timings: JobTimings::default() }
}
