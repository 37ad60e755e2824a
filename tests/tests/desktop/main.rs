//! The desktop app, whole: the built programs on a real bus and a real screen, with a real pool behind them. Run by
//! `./x test desktop`.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod driver;
mod session;
#[path = "../../../crates/lull-presence/tests/common/mod.rs"]
#[allow(unused_imports, reason = "the sensors' own tests use all of it")]
mod stage;
mod tray;
mod tray_stand_in;
mod window;
