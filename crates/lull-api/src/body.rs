use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, header},
};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use crate::{BODY_BYTES_MAX, error::ApiError};

/// How long a client may take to send its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// How much of a body that is too long is read away, so that the client hears why, in bytes.
const DRAIN_BYTES_MAX: usize = 64 << 20;

/// The whole body of a request that says it is JSON.
pub(crate) async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    let late = |_| ApiError::new(StatusCode::REQUEST_TIMEOUT, "timeout", "The body did not arrive in time.");
    let bytes = tokio::time::timeout(BODY_TIMEOUT, collect(body)).await.map_err(late)??;
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(ApiError::malformed("Send JSON, and the header \"Content-Type: application/json\"."));
    }
    Ok(bytes)
}

async fn collect(mut body: Body) -> Result<Bytes, ApiError> {
    let mut whole = BytesMut::new();
    let mut total = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ApiError::malformed("The body was cut off."))?;
        let Ok(data) = frame.into_data() else { continue };
        total += data.len();
        if total > DRAIN_BYTES_MAX {
            break;
        }
        if total <= BODY_BYTES_MAX {
            whole.extend_from_slice(&data);
        }
    }
    if total > BODY_BYTES_MAX {
        let message = format!("The body has more than {BODY_BYTES_MAX} bytes; shorten the conversation.");
        return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message));
    }
    Ok(whole.freeze())
}
