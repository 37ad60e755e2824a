//! The node as a whole, with real sockets and real worker processes.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

mod asking;
mod checking;
mod claims;
mod confined;
mod door;
mod evil;
mod host;
mod joining;
mod logs;
mod own;
mod pool;
mod rules;
mod support;
