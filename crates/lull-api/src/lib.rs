//! The API that every OpenAI-compatible tool speaks, on the loopback interface, in front of a node's door.
//! It must never know the relay, a lender's address or how an answer is made; and no prompt reaches a log from here.

mod body;
mod chat;
mod error;
mod fields;
mod guard;
mod host;
mod listen;
mod messages;
mod models;
mod params;
mod reply;
mod request;
mod router;
mod server;
mod stream;

pub use host::own_host;
pub use listen::{API, Place, listen};
pub use router::router;
pub use server::{serve, serve_router};

/// The longest request body, in bytes.
pub const BODY_BYTES_MAX: usize = 8 << 20;
/// The header that carries a job's label.
pub const LABEL_HEADER: &str = "x-lull-label";
/// The header that says who answers, as percent-encoded UTF-8.
pub const LENDER_HEADER: &str = "x-lull-lender";
/// The header with the job's id.
pub const JOB_HEADER: &str = "x-lull-job";
