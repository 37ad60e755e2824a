use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use lull_types::{Code, Fault};
use serde::Serialize;

/// After how long a busy pool should be asked again, in seconds.
const RETRY_AFTER_S: u32 = 5;

/// What a client is told when its request fails, in OpenAI's shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    message: String,
    param: Option<String>,
    code: Option<&'static str>,
    retry_after_s: Option<u32>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'a str>,
    code: Option<&'static str>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), param: None, code: Some(code), retry_after_s: None }
    }

    /// The body as a whole is wrong.
    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_body", message)
    }

    /// A parameter's value is wrong.
    pub(crate) fn invalid(param: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_value", message).about(param)
    }

    /// A parameter has the wrong type; `expected` says in plain words what it must be.
    pub(crate) fn mistyped(param: &str, expected: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_type", format!("\"{param}\" must be {expected}.")).about(param)
    }

    /// A parameter is needed.
    pub(crate) fn missing(param: &str) -> Self {
        let message = format!("The parameter \"{param}\" is missing.");
        Self::new(StatusCode::BAD_REQUEST, "missing_required_parameter", message).about(param)
    }

    /// A parameter that OpenAI has, and Lull not yet.
    pub(crate) fn unsupported(param: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "unsupported_parameter", message).about(param)
    }

    /// A parameter that nobody has.
    pub(crate) fn unknown(param: &str) -> Self {
        let message = format!("The parameter \"{param}\" is unknown; remove it.");
        Self::new(StatusCode::BAD_REQUEST, "unknown_parameter", message).about(param)
    }

    pub(crate) fn about(mut self, param: &str) -> Self {
        self.param = Some(param.into());
        self
    }

    /// The error as it stands in a body or in a stream.
    pub(crate) fn json(&self) -> String {
        let kind = match self.status.as_u16() {
            403 => "permission_error",
            400..=499 => "invalid_request_error",
            503 => "service_unavailable_error",
            _ => "server_error",
        };
        let param = self.param.as_deref();
        let inner = Inner { message: &self.message, r#type: kind, param, code: self.code };
        serde_json::to_string(&Envelope { error: inner }).unwrap_or_else(|_| "{\"error\":{}}".into())
    }
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        let (status, code) = match fault.code {
            Code::BadRequest => (400, "bad_request"),
            Code::Unsupported => (400, "unsupported"),
            Code::ContextExceeded => (400, "context_length_exceeded"),
            Code::Unauthorized => (401, "unauthorized"),
            Code::Forbidden | Code::Revoked => (403, fault.code.as_str()),
            Code::ModelUnknown => (404, "model_not_found"),
            Code::LenderLost
            | Code::Yielding
            | Code::LenderRefused
            | Code::LenderUntrusted
            | Code::WorkerDied
            | Code::WorkerHung
            | Code::WorkerMemory
            | Code::WorkerProtocol
            | Code::Unconfined
            | Code::ModelBroken
            | Code::BadSeal
            | Code::BadFrame => (502, fault.code.as_str()),
            Code::NoLender
            | Code::Busy
            | Code::RelayUnreachable
            | Code::RelayDraining
            | Code::NotEnrolled
            | Code::Expired
            | Code::InvitationUsed
            | Code::Cancelled => (503, fault.code.as_str()),
            Code::Timeout => (504, "timeout"),
            other => (500, other.as_str()),
        };
        let retry = matches!(fault.code, Code::NoLender | Code::Busy | Code::RelayUnreachable | Code::RelayDraining);
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            message: fault.message,
            param: matches!(fault.code, Code::ModelUnknown).then(|| "model".into()),
            code: Some(code),
            retry_after_s: retry.then_some(RETRY_AFTER_S),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.json()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
