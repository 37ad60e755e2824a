use lull_types::{Code, Fault};
use tauri::{AppHandle, WebviewWindow};
use tauri_plugin_dialog::{DialogExt as _, FilePath};
use tokio::sync::oneshot;

/// The longest text that is saved, in bytes.
const TEXT_BYTES_MAX: usize = 64 << 20;
/// The longest file name, in bytes, that every system takes.
const NAME_BYTES_MAX: usize = 200;

/// Asks where to save a text, and saves it there; false: the person changed their mind.
#[tauri::command]
pub(crate) async fn save(app: AppHandle, window: WebviewWindow, name: String, text: String) -> Result<bool, Fault> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Fault::new(Code::BadRequest, "this text is over 64 MiB, which is too long to be saved from here"));
    }
    let (chosen, choice) = oneshot::channel();
    app.dialog().file().set_parent(&window).set_file_name(file_name(&name)).save_file(|path| drop(chosen.send(path)));
    let Some(path) = path(choice.await) else { return Ok(false) };
    let written = tauri::async_runtime::spawn_blocking(move || {
        std::fs::write(&path, text).map_err(|error| lull_door::fault::storage("write", &path, &error))
    });
    written.await.map_err(|error| Fault::new(Code::Internal, error.to_string()))?.map(|()| true)
}

/// Asks for a model: a file, or a folder.
#[tauri::command]
pub(crate) async fn pick_model(app: AppHandle, window: WebviewWindow, folder: bool) -> Result<Option<String>, Fault> {
    let (chosen, choice) = oneshot::channel();
    let dialog = app.dialog().file().set_parent(&window);
    if folder {
        dialog.pick_folder(|path| drop(chosen.send(path)));
    } else {
        dialog.add_filter("GGUF", &["gguf"]).pick_file(|path| drop(chosen.send(path)));
    }
    let Some(path) = path(choice.await) else { return Ok(None) };
    let unreadable =
        || Fault::new(Code::BadRequest, "the path of this file is no text; rename it, then choose it again");
    Ok(Some(path.into_os_string().into_string().map_err(|_| unreadable())?))
}

fn path(choice: Result<Option<FilePath>, oneshot::error::RecvError>) -> Option<std::path::PathBuf> {
    choice.ok().flatten().and_then(|path| path.into_path().ok())
}

/// The last part of a path, without what leads elsewhere.
fn file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut name: String = last.chars().filter(|c| !c.is_control()).collect();
    name.truncate(name.floor_char_boundary(NAME_BYTES_MAX));
    if name.trim_matches('.').is_empty() { "lull.txt".into() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_a_file_and_no_place() {
        for (asked, got) in [
            ("chat.md", "chat.md"),
            ("../../.bashrc", ".bashrc"),
            ("C:\\Windows\\notes.txt", "notes.txt"),
            ("..", "lull.txt"),
            ("", "lull.txt"),
            ("a\nb", "ab"),
        ] {
            assert_eq!(file_name(asked), got, "{asked:?}");
        }
        assert_eq!(file_name(&"ä".repeat(300)).len(), NAME_BYTES_MAX);
    }
}
