use std::{path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use lull_types::NodeId;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, sync::oneshot, time::timeout};

use crate::{
    RelayError,
    actor::{Event, Snapshot},
    clock,
    files::{replace, to_hex},
    shared::Shared,
};

/// The longest request body, in bytes.
const BODY_BYTES_MAX: usize = 4 * 1024;
/// How long the relay's state may take to be asked for, in milliseconds.
const SNAPSHOT_MAX_MS: u64 = 2_000;
/// The media type of the text that Prometheus reads.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How commands on this machine reach the running relay. The file is its owner's alone.
#[derive(Serialize, Deserialize)]
pub(crate) struct AdminFile {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) secret: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct RevokeBody {
    pub(crate) node: NodeId,
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    nodes: usize,
}

/// The admin file as this relay wrote it. It goes when its relay does, unless another one has written its own.
struct Word {
    file: PathBuf,
    content: Vec<u8>,
}

impl Drop for Word {
    fn drop(&mut self) {
        if std::fs::read(&self.file).is_ok_and(|content| content == self.content) {
            let _ = std::fs::remove_file(&self.file);
        }
    }
}

struct Admin {
    shared: Arc<Shared>,
    secret_hash: Vec<u8>,
}

/// Serves the admin address until `stop` resolves, and leaves word of it in `file`.
pub(crate) fn start(
    shared: Arc<Shared>,
    listener: TcpListener,
    file: PathBuf,
    stop: oneshot::Receiver<()>,
) -> Result<tokio::task::JoinHandle<()>, RelayError> {
    let secret = to_hex(&lull_wire::random::<32>());
    let mut address = listener.local_addr().map_err(crate::files::io(&file))?;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() });
    }
    let word = AdminFile { address, secret: secret.to_string() };
    let word = serde_json::to_vec(&word).map_err(|error| RelayError::BadRequest(error.to_string()))?;
    replace(&file, &word)?;
    let word = Word { file, content: word };
    let secret_hash = digest(&SHA256, secret.as_bytes()).as_ref().to_vec();
    let admin = Arc::new(Admin { shared, secret_hash });
    let router = Router::new()
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .route("/admin/revoke", post(revoke))
        .route("/admin/connected", get(connected))
        .route("/admin/release", post(release))
        .route("/admin/look", post(look))
        .route("/admin/policy", get(following))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(admin);
    let stopped = async move {
        let _ = stop.await;
    };
    Ok(tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stopped).await {
            tracing::error!(%error, "the admin address failed");
        }
        drop(word);
    }))
}

async fn snapshot(admin: &Admin) -> Option<Snapshot> {
    let (reply, answer) = oneshot::channel();
    admin.shared.events.send(Event::Snapshot(reply)).await.ok()?;
    timeout(Duration::from_millis(SNAPSHOT_MAX_MS), answer).await.ok()?.ok()
}

async fn health(State(admin): State<Arc<Admin>>) -> Response {
    match snapshot(&admin).await {
        Some(snapshot) if snapshot.draining => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(Health { status: "draining", nodes: snapshot.load.nodes }))
                .into_response()
        }
        Some(snapshot) => Json(Health { status: "ok", nodes: snapshot.load.nodes }).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, Json(Health { status: "stuck", nodes: 0 })).into_response(),
    }
}

async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    let Some(snapshot) = snapshot(&admin).await else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let text = admin.shared.metrics.text(&snapshot, admin.shared.ledger.commits());
    ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response()
}

/// Whether the caller could read the admin file. Hashes are compared, so that timing tells nothing about the secret.
fn is_owner(admin: &Admin, headers: &HeaderMap) -> bool {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    bearer
        .and_then(|value| value.strip_prefix("Bearer "))
        .is_some_and(|secret| digest(&SHA256, secret.as_bytes()).as_ref() == admin.secret_hash)
}

async fn revoke(State(admin): State<Arc<Admin>>, headers: HeaderMap, body: Bytes) -> Response {
    if !is_owner(&admin, &headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let Ok(RevokeBody { node }) = serde_json::from_slice(&body) else { return StatusCode::BAD_REQUEST.into_response() };
    // First out of the pool, then into the books: a full disk must not keep it in.
    let closed = admin.shared.events.send(Event::Revoked { node }).await.is_ok();
    let written = admin.shared.ledger.revoke(node, clock::now_s(), "the relay's administrator".into()).await;
    // Others hear of it from the books.
    admin.shared.look.notify_one();
    tracing::warn!(%node, "revoked");
    match written {
        Ok(true) if closed => StatusCode::NO_CONTENT.into_response(),
        Ok(false) => StatusCode::NOT_FOUND.into_response(),
        Ok(true) | Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn release(State(admin): State<Arc<Admin>>, headers: HeaderMap, body: Bytes) -> Response {
    if !is_owner(&admin, &headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let Ok(RevokeBody { node }) = serde_json::from_slice(&body) else { return StatusCode::BAD_REQUEST.into_response() };
    let (reply, answer) = oneshot::channel();
    let asked = admin.shared.events.send(Event::Released { node, reply }).await;
    match (asked, timeout(Duration::from_millis(SNAPSHOT_MAX_MS), answer).await) {
        (Ok(()), Ok(Ok(true))) => StatusCode::NO_CONTENT.into_response(),
        (Ok(()), Ok(Ok(false))) => StatusCode::NOT_FOUND.into_response(),
        _ => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// Something has been written into the ledger that concerns everybody.
async fn look(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> Response {
    if !is_owner(&admin, &headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    admin.shared.look.notify_one();
    StatusCode::NO_CONTENT.into_response()
}

async fn following(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> Response {
    if !is_owner(&admin, &headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let (reply, answer) = oneshot::channel();
    let asked = admin.shared.events.send(Event::Following(reply)).await;
    match (asked, timeout(Duration::from_millis(SNAPSHOT_MAX_MS), answer).await) {
        (Ok(()), Ok(Ok(following))) => Json(following).into_response(),
        _ => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn connected(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> Response {
    if !is_owner(&admin, &headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    snapshot(&admin).await.map_or_else(
        || StatusCode::SERVICE_UNAVAILABLE.into_response(),
        |snapshot| Json(snapshot.connected).into_response(),
    )
}
