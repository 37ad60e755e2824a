//! A provider that says whatever a test wants.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, header, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

/// What is answered at a path.
#[derive(Clone)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) location: Option<String>,
}

impl From<Value> for Said {
    fn from(body: Value) -> Self {
        Self { status: 200, body: body.to_string(), location: None }
    }
}

#[derive(Default)]
struct Told {
    says: BTreeMap<String, Said>,
    asked: BTreeMap<String, usize>,
}

pub(crate) struct Stub {
    pub(crate) issuer: String,
    told: Arc<Mutex<Told>>,
}

impl Stub {
    /// Serves discovery; everything else has to be said.
    pub(crate) async fn start() -> Self {
        Self::serve("http", |stream| async { Some(stream) }).await
    }

    /// The same behind TLS.
    pub(crate) async fn start_tls(config: ServerConfig) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::serve("https", move |stream| {
            let accepted = acceptor.accept(stream);
            async { accepted.await.ok() }
        })
        .await
    }

    async fn serve<S, F>(scheme: &str, wrap: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        F: Future<Output = Option<S>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("{scheme}://{}", listener.local_addr().unwrap());
        let told = Arc::new(Mutex::new(Told::default()));
        let stub = Self { issuer, told: Arc::clone(&told) };
        stub.say("/.well-known/openid-configuration", stub.document());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (told, wrapped) = (Arc::clone(&told), wrap(stream));
                tokio::spawn(async move {
                    let Some(stream) = wrapped.await else { return };
                    let service = service_fn(move |request: Request<Incoming>| {
                        let answer = told.lock().unwrap().answer(request.uri().path());
                        async move { Ok::<_, Infallible>(answer) }
                    });
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        stub
    }

    pub(crate) fn document(&self) -> Value {
        let issuer = &self.issuer;
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/auth"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/jwks"),
        })
    }

    pub(crate) fn say(&self, path: &str, said: impl Into<Said>) {
        self.told.lock().unwrap().says.insert(path.to_owned(), said.into());
    }

    /// How often a path was asked.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.told.lock().unwrap().asked.get(path).copied().unwrap_or(0)
    }
}

impl Told {
    fn answer(&mut self, path: &str) -> Response<Full<Bytes>> {
        *self.asked.entry(path.to_owned()).or_default() += 1;
        let nothing = Said { status: 404, body: String::new(), location: None };
        let said = self.says.get(path).cloned().unwrap_or(nothing);
        let mut response = Response::builder().status(said.status);
        if let Some(location) = said.location {
            response = response.header(header::LOCATION, location);
        }
        response.body(Full::new(Bytes::from(said.body))).unwrap()
    }
}
