use axum::{
    Json,
    extract::{Path, State},
};
use lull_types::{Code, Fault, ModelView, Request, Response};
use serde::Serialize;

use crate::{error::ApiError, router::App};

#[derive(Serialize)]
pub(crate) struct List {
    object: &'static str,
    data: Vec<Model>,
}

#[derive(Serialize)]
pub(crate) struct Model {
    id: String,
    object: &'static str,
    /// When the model was made is not known.
    created: u64,
    owned_by: &'static str,
}

impl From<ModelView> for Model {
    fn from(view: ModelView) -> Self {
        Self { id: view.name, object: "model", created: 0, owned_by: "lull" }
    }
}

/// `GET /v1/models`
pub(crate) async fn list(State(app): State<App>) -> Result<Json<List>, ApiError> {
    let data = known(&app).await?.into_iter().map(Model::from).collect();
    Ok(Json(List { object: "list", data }))
}

/// `GET /v1/models/{id}`
pub(crate) async fn one(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Model>, ApiError> {
    let found = known(&app).await?.into_iter().find(|view| view.name == id);
    found.map(|view| Json(view.into())).ok_or_else(|| {
        let id: String = id.chars().take(80).collect();
        Fault::new(Code::ModelUnknown, format!("There is no model {id:?}; see /v1/models.")).into()
    })
}

async fn known(app: &App) -> Result<Vec<ModelView>, ApiError> {
    match app.node.call(Request::Models).await? {
        Response::Models { models, .. } => Ok(models),
        _ => Err(Fault::new(Code::Internal, "the node gave another answer than was asked for").into()),
    }
}
