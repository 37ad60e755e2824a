//! A person's machine, whole: real input on a real screen, stand-ins for the system's services, a real node, and the
//! real worker in the middle of an answer. Run as an ordinary user by `./x test owner`.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod bump;
mod clock;
mod desk;
mod faults;
mod matrix;
#[path = "../../../crates/lull-presence/tests/common/mod.rs"]
#[allow(unused_imports, reason = "the sensors' own tests use all of it")]
mod stage;
#[path = "../../../crates/lull-presence/tests/common/stand_ins.rs"]
#[allow(dead_code, reason = "the sensors' own tests use all of it")]
mod stand_ins;
mod words;
