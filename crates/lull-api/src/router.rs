use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    http::{Method, StatusCode, Uri},
    middleware,
    routing::{get, post},
};
use lull_node::{Keys, NodeApi};

use crate::{chat, error::ApiError, guard, models};

/// What every request can reach.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) node: Arc<dyn NodeApi>,
    pub(crate) keys: Keys,
    pub(crate) bound: SocketAddr,
}

/// All routes, with the guard before them. `bound` is the address listened on: a `Host` of its own is admitted.
pub fn router(node: Arc<dyn NodeApi>, keys: Keys, bound: SocketAddr) -> Router {
    let app = App { node, keys, bound };
    Router::new()
        .route("/v1/models", get(models::list))
        .route("/v1/models/{id}", get(models::one))
        .route("/v1/chat/completions", post(chat::complete))
        .fallback(no_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(app.clone(), guard::guard))
        .with_state(app)
}

async fn no_route(uri: Uri) -> ApiError {
    let path: String = uri.path().chars().take(80).collect();
    let routes = "/v1/models and /v1/chat/completions";
    ApiError::new(StatusCode::NOT_FOUND, "unknown_url", format!("There is no {path}; there are {routes}."))
}

async fn wrong_method(method: Method, uri: Uri) -> ApiError {
    let method: String = method.as_str().chars().take(20).collect();
    let message = format!("{} does not take {method}.", uri.path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}
