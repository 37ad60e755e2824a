//! The node as a whole, with real sockets and real worker processes.

mod asking;
mod claims;
mod door;
mod evil;
mod joining;
mod support;
