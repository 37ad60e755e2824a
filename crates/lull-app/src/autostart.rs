//! Whether the system starts this app when its person logs in.

use std::io;

/// Brings the system's own list in line with what the person prefers.
pub(crate) fn follow(on: bool) {
    if let Err(error) = platform::set(on) {
        tracing::warn!(on, %error, "the start at login cannot be changed");
    }
}

fn no_place() -> io::Error {
    io::Error::other("this program or its person's own folder cannot be found")
}

#[cfg(target_os = "linux")]
mod platform {
    use std::{
        fs, io,
        path::{Path, PathBuf},
    };

    /// The desktop's own way (XDG autostart), which every one of them follows.
    pub(super) fn set(on: bool) -> io::Result<()> {
        let base = directories::BaseDirs::new().ok_or_else(super::no_place)?;
        let program = crate::own_path().ok_or_else(super::no_place)?;
        set_in(base.config_dir(), &program, on)
    }

    pub(super) fn set_in(config: &Path, program: &Path, on: bool) -> io::Result<()> {
        let file: PathBuf = config.join("autostart/lull.desktop");
        if !on {
            return match fs::remove_file(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        let entry = entry(program);
        if fs::read_to_string(&file).is_ok_and(|there| there == entry) {
            return Ok(());
        }
        fs::create_dir_all(config.join("autostart"))?;
        fs::write(file, entry)
    }

    fn entry(program: &Path) -> String {
        // What is left behind when the program is removed does nothing.
        let tried = program.to_string_lossy().replace('\\', "\\\\");
        let program = quoted(&program.to_string_lossy());
        format!(
            "[Desktop Entry]\nType=Application\nName=Lull\nTryExec={tried}\nExec={program} --background\n\
             Icon=org.lull.Lull\nTerminal=false\nX-GNOME-Autostart-enabled=true\n"
        )
    }

    /// As the desktop entry specification wants an argument; the backslashes once more, as for every string in the file.
    fn quoted(argument: &str) -> String {
        let mut text = String::from("\"");
        for c in argument.chars() {
            match c {
                '\\' => text.push_str("\\\\\\\\"),
                '"' | '`' | '$' => {
                    text.push_str("\\\\");
                    text.push(c);
                }
                '%' => text.push_str("%%"),
                c => text.push(c),
            }
        }
        text.push('"');
        text
    }

    #[cfg(test)]
    mod tests {
        #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

        use super::*;

        #[test]
        fn on_and_off_again() {
            let config = tempfile::tempdir().unwrap();
            let file = config.path().join("autostart/lull.desktop");
            set_in(config.path(), Path::new("/opt/my $apps/lull-app"), true).unwrap();
            let text = fs::read_to_string(&file).unwrap();
            assert!(text.contains("Exec=\"/opt/my \\\\$apps/lull-app\" --background\n"), "{text}");
            set_in(config.path(), Path::new("/x"), false).unwrap();
            assert!(!file.exists());
            set_in(config.path(), Path::new("/x"), false).unwrap();
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use std::io;

    pub(super) fn set(on: bool) -> io::Result<()> {
        let program = crate::own_path().ok_or_else(super::no_place)?;
        let path = program.to_string_lossy();
        let list = auto_launch::AutoLaunchBuilder::new()
            .set_app_name("Lull")
            .set_app_path(&path)
            .set_args(&["--background"])
            .build()
            .map_err(io::Error::other)?;
        let done = if on { list.enable() } else { list.disable() };
        done.map_err(io::Error::other)
    }
}
