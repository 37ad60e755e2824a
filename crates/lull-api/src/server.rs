use std::{future::Future, io, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use lull_node::{Keys, NodeApi};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};

use crate::router;

/// The most connections at once; more wait.
const CONNECTIONS_MAX: usize = 512;
/// How long a client may take to send a request's headers.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest headers of a request, in bytes.
const HEADER_BYTES_MAX: usize = 64 << 10;
/// How long answers under way may go on after the word to stop.
const GRACE: Duration = Duration::from_secs(5);
/// How long to wait when the system gives no connection, such as for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers on `listener` until `shutdown` resolves; then lets answers under way go on for 5 seconds.
///
/// # Errors
/// When the listener has no address.
pub async fn serve(
    listener: TcpListener,
    node: Arc<dyn NodeApi>,
    keys: Keys,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    if let Some(fault) = keys.fault() {
        tracing::warn!(code = %fault.code, reason = fault.message, "no key is accepted");
    }
    let router = router(node, keys, listener.local_addr()?);
    serve_router(listener, router, shutdown).await;
    Ok(())
}

/// Answers with `router` on `listener` until `shutdown` resolves; then lets answers under way go on for 5 seconds.
/// What everything that Lull serves on this machine has in common: bounds on connections and headers.
pub async fn serve_router(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>) {
    let service = TowerToHyperService::new(router);
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS_TIMEOUT).max_buf_size(HEADER_BYTES_MAX);
    let graceful = GracefulShutdown::new();
    let mut tasks = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let (stream, place) = tokio::select! {
            accepted = accept(&listener, &places) => match accepted {
                Some(accepted) => accepted,
                None => break,
            },
            () = &mut shutdown => break,
        };
        while tasks.try_join_next().is_some() {}
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service.clone()));
        tasks.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection from this machine ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::info!(connections = tasks.len(), "connections from this machine were cut off");
    }
}

type Place = tokio::sync::OwnedSemaphorePermit;

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<(TcpStream, Place)> {
    let place = places.clone().acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "small packets will be delayed");
                }
                return Some((stream, place));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection from this machine cannot be taken");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
