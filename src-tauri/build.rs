//! Lets the window call these commands and no others (see capabilities/window.json).

fn main() {
    let commands = &["call", "events", "chat", "stop_chat", "save", "pick_model"];
    let manifest = tauri_build::AppManifest::new().commands(commands);
    if let Err(error) = tauri_build::try_build(tauri_build::Attributes::new().app_manifest(manifest)) {
        println!("cargo::error={error:#}");
    }
}
