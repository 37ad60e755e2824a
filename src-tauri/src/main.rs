//! Lull's window as a process of its own: it lives while the window is open, and asks the node of `LULL_HOME` through
//! the door. It must never know what is asked or answered, and it decides nothing.

// No console beside the window.
#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

mod chats;
mod commands;
mod files;
mod line;
mod start;
mod window;

use std::process::ExitCode;

use lull_types::Fault;

use crate::{chats::Chats, line::Line, start::Start};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("lull-window: {}", fault.message);
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Fault> {
    let start = Start::of_process()?;
    // A second window of this home would only be in the way of the first, which hears the same events.
    let Some(_only) = start.only_window()? else { return Ok(()) };
    tauri::Builder::default()
        .plugin(tauri_plugin_dialog::init())
        .plugin(window::keep_place(&start))
        .manage(Line::new(&start.home)?)
        .manage(Chats::default())
        .invoke_handler(tauri::generate_handler![
            commands::call,
            commands::events,
            commands::chat,
            commands::stop_chat,
            files::save,
            files::pick_model
        ])
        .setup(move |app| window::open(app.handle(), &start).map_err(Into::into))
        .run(tauri::generate_context!())
        .map_err(|error| window::failed(&error))
}
