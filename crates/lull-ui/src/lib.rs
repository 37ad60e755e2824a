//! Lull's window over HTTP on the loopback interface: the built pages, and the door behind them for who is signed in.
//! It must never know what a page shows or how a node works; and no question, answer, token or key reaches a log.

mod answer;
mod door;
mod files;
mod guard;
mod server;
mod session;

pub use files::has_window;
pub use server::{Ui, serve};
pub use session::{SESSION_IDLE_MAX, SESSIONS_MAX, TOKEN_MAX, TOKENS_MAX};

/// The longest call, in bytes.
pub const CALL_BYTES_MAX: usize = 256 << 10;
/// The longest question to the pool, in bytes: a whole conversation.
pub const CHAT_BYTES_MAX: usize = 8 << 20;
/// The longest login, in bytes.
pub const LOGIN_BYTES_MAX: usize = 4 << 10;
