use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use lull_types::{Code, Fault};
use serde::Serialize;

/// Why a request was refused, as the window reads it.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) StatusCode, pub(crate) Fault);

/// A fault in an answer's body.
#[derive(Serialize)]
struct Body<'a> {
    fault: &'a Fault,
}

impl Refused {
    pub(crate) fn new(status: StatusCode, code: Code, sentence: impl Into<String>) -> Self {
        Self(status, Fault::new(code, sentence))
    }

    /// Who asks is not signed in.
    pub(crate) fn signed_out(sentence: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, Code::Unauthorized, sentence)
    }

    /// What was sent cannot be read.
    pub(crate) fn malformed(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::BadRequest, sentence)
    }
}

impl From<Fault> for Refused {
    /// The node's own word: it was reached, so that for HTTP nothing failed.
    fn from(fault: Fault) -> Self {
        Self(StatusCode::OK, fault)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(Body { fault: &self.1 })).into_response()
    }
}
