//! A node whose answers the test gives itself, the window in front of it over real TCP, and a small client.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN},
};
use hyper_util::rt::TokioIo;
use lull_door::{Chat, NodeApi};
use lull_types::{ChatEvent, ChatRequest, Code, Event, Fault};
use lull_ui::Ui;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{broadcast, mpsc, oneshot},
};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);
/// Events that the scripted node keeps for a slow listener.
const EVENTS_KEPT: usize = 4;

/// A question that reached the node, and the way to answer it.
pub(crate) type Asked = (ChatRequest, mpsc::Sender<ChatEvent>);

struct ScriptedNode {
    called: mpsc::UnboundedSender<lull_types::Request>,
    asked: mpsc::UnboundedSender<Asked>,
    events: broadcast::Sender<Event>,
}

impl NodeApi for ScriptedNode {
    fn call(&self, request: lull_types::Request) -> BoxFuture<'_, Result<lull_types::Response, Fault>> {
        Box::pin(async move {
            self.called.send(request.clone()).map_err(|_| Fault::new(Code::Internal, "the test is over"))?;
            match request {
                lull_types::Request::Keys => Ok(lull_types::Response::Keys { keys: Vec::new() }),
                lull_types::Request::Status => Err(Fault::new(Code::NotEnrolled, "this machine has not joined")),
                _ => Ok(lull_types::Response::Done),
            }
        })
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

pub(crate) struct Window {
    pub(crate) addr: SocketAddr,
    pub(crate) ui: Ui,
    pub(crate) called: mpsc::UnboundedReceiver<lull_types::Request>,
    pub(crate) asked: mpsc::UnboundedReceiver<Asked>,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) served: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Window {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (calling, called) = mpsc::unbounded_channel();
        let (asking, asked) = mpsc::unbounded_channel();
        let (events, _) = broadcast::channel(EVENTS_KEPT);
        let ui = Ui::new(Arc::new(ScriptedNode { called: calling, asked: asking, events: events.clone() }));
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(lull_ui::serve(listener, ui.clone(), async {
            let _ = stopped.await;
        }));
        Self { addr, ui, called, asked, events, stop: Some(stop), served }
    }

    pub(crate) fn token(&self) -> String {
        let url = self.ui.url(self.addr).unwrap();
        let (page, token) = url.split_once("/#token=").unwrap();
        assert_eq!(page, format!("http://{}", self.addr));
        token.into()
    }

    /// A fresh session.
    pub(crate) async fn sign_in(&self) -> String {
        let answer = self.send(self.post("/ui/login", "", json!({"token": self.token()}).to_string())).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.header("set-cookie"), "", "cookies go to other ports, too");
        answer.json().await["session"].as_str().unwrap().to_owned()
    }

    /// What the window's own page would send.
    pub(crate) fn post(&self, path: &str, session: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
        let mut request = Request::post(path)
            .header(HOST, self.addr.to_string())
            .header(ORIGIN, format!("http://{}", self.addr))
            .header(CONTENT_TYPE, "application/json");
        if !session.is_empty() {
            request = request.header(AUTHORIZATION, format!("Bearer {session}"));
        }
        request.body(Full::new(body.into())).unwrap()
    }

    pub(crate) fn get(&self, path: &str, session: &str) -> Request<Full<Bytes>> {
        let request = Request::get(path).header(HOST, self.addr.to_string());
        request.header(AUTHORIZATION, format!("Bearer {session}")).body(Full::default()).unwrap()
    }

    /// Sends a request on a connection of its own; dropping the answer hangs up.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let stream = TcpStream::connect(self.addr).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        let connection = Hangup(tokio::spawn(async move {
            let _ = connection.await;
        }));
        let response = wait(sender.send_request(request)).await.unwrap();
        Answer { response, _connection: connection, _sender: sender }
    }

    pub(crate) async fn call(&self, session: &str, body: &Value) -> Answer {
        self.send(self.post("/ui/call", session, body.to_string())).await
    }
}

struct Hangup(tokio::task::JoinHandle<()>);

impl Drop for Hangup {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(crate) struct Answer {
    response: Response<Incoming>,
    _connection: Hangup,
    _sender: http1::SendRequest<Full<Bytes>>,
}

impl Answer {
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The next piece of the body.
    pub(crate) async fn piece(&mut self) -> Option<String> {
        let frame = wait(self.response.body_mut().frame()).await?.unwrap();
        Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
    }

    pub(crate) async fn text(mut self) -> String {
        let mut text = String::new();
        while let Some(piece) = self.piece().await {
            text.push_str(&piece);
        }
        text
    }

    pub(crate) async fn json(self) -> Value {
        let text = self.text().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// It was refused so, with a sentence.
    pub(crate) async fn refused(self, status: u16, code: &str) {
        assert_eq!(self.status(), status);
        let body = self.json().await;
        assert_eq!(body["fault"]["code"], code, "{body}");
        assert!(body["fault"]["message"].as_str().unwrap().len() > 20, "{body}");
    }
}

pub(crate) async fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it came in time")
}
