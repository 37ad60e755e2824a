use std::{fmt, future::Future, io, net::SocketAddr, pin::pin, sync::Arc};

use axum::{
    Router,
    http::{Method, StatusCode, Uri},
    middleware,
    routing::get,
};
use lull_door::NodeApi;
use lull_types::Code;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{answer::Refused, door, files, guard, session::Sessions};

/// A node's window, and who is signed in to it. Clones are the same window.
#[derive(Clone)]
pub struct Ui {
    node: Arc<dyn NodeApi>,
    sessions: Arc<Sessions>,
}

/// What every request can reach.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) node: Arc<dyn NodeApi>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) bound: SocketAddr,
    /// Ends streams that would not end by themselves.
    pub(crate) stop: CancellationToken,
}

impl fmt::Debug for Ui {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ui").finish_non_exhaustive()
    }
}

impl Ui {
    /// The window of a node. Nobody is signed in.
    #[must_use]
    pub fn new(node: Arc<dyn NodeApi>) -> Self {
        Self { node, sessions: Arc::new(Sessions::new()) }
    }

    /// The window's address for one person, with a token that signs in once, within [`crate::TOKEN_MAX`].
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn url(&self, address: SocketAddr) -> io::Result<String> {
        Ok(format!("http://{address}/#token={}", self.sessions.invite()?))
    }
}

/// Shows the window on `listener` until `stop` resolves; then lets answers under way go on for 5 seconds.
///
/// # Errors
/// When the listener has no address, or one that other machines reach.
pub async fn serve(listener: TcpListener, ui: Ui, stop: impl Future<Output = ()>) -> io::Result<()> {
    let bound = listener.local_addr()?;
    if !bound.ip().is_loopback() {
        let text = format!("the window is for this machine only: {bound} is not a loopback address, use 127.0.0.1");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let streams = CancellationToken::new();
    let app = App { node: ui.node, sessions: ui.sessions, bound, stop: streams.clone() };
    // However this ends, no stream outlives it.
    let ending = streams.clone().drop_guard();
    let mut stop = pin!(stop);
    let told = async {
        stop.as_mut().await;
        streams.cancel();
    };
    lull_api::serve_router(listener, router(app), told).await;
    drop(ending);
    Ok(())
}

fn router(app: App) -> Router {
    let routes = door::routes(&app);
    let door = routes.into_iter().fold(Router::new(), |router, (path, route)| router.route(path, route));
    door.route("/ui/{*rest}", axum::routing::any(no_route))
        .route("/", get(files::serve))
        .route("/{*file}", get(files::serve))
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(app.clone(), guard::guard))
        .with_state(app)
}

async fn no_route() -> Refused {
    Refused::new(StatusCode::NOT_FOUND, Code::BadRequest, "there is no such path: load the page again")
}

async fn wrong_method(method: Method, uri: Uri) -> Refused {
    let method: String = method.as_str().chars().take(20).collect();
    let path: String = uri.path().chars().take(80).collect();
    let text = format!("{path} does not take {method}: load the page again");
    Refused::new(StatusCode::METHOD_NOT_ALLOWED, Code::BadRequest, text)
}
