//! The app as a person meets it: every state in every language, and what follows from what happens.

#![allow(clippy::unwrap_used)]

mod controller;
mod fixtures;
mod golden;
mod menus;
mod property;
mod rules;
