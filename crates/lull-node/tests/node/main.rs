//! The node as a whole, with real sockets and real worker processes.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

mod askers;
mod asking;
mod checking;
mod claims;
mod confined;
mod door;
mod evil;
mod evil_relay;
mod host;
mod joining;
mod logs;
mod lying_lender;
mod own;
mod pool;
mod rules;
mod statements;
mod support;
