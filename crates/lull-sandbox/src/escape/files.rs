//! Files and folders that are not the model's.

use std::{
    fs::{self, File, Permissions},
    io::{Read as _, Write as _},
    os::{
        fd::AsRawFd as _,
        unix::{fs::PermissionsExt as _, fs::symlink},
    },
    path::Path,
};

use super::{
    Attempt,
    Control::{Depends, Never, Succeeds},
    Stage, Stopped,
    calls::{at, at_mut, call},
    not,
};

pub(super) const ALL: &[Attempt] = &[
    Attempt { name: "read_a_file_at_home", control: Succeeds, act: |stage| secret(&stage.home.join("secret"), stage) },
    Attempt { name: "read_a_key", control: Succeeds, act: |stage| secret(&stage.home.join(".ssh/id_ed25519"), stage) },
    Attempt { name: "read_the_list_of_users", control: Succeeds, act: |_| read("/etc/passwd") },
    Attempt { name: "read_the_list_of_passwords", control: Never, act: |_| read("/etc/shadow") },
    Attempt { name: "list_home", control: Succeeds, act: |stage| list(&stage.home) },
    Attempt { name: "list_the_root", control: Succeeds, act: |_| list(Path::new("/etc")) },
    Attempt { name: "write_a_new_file_at_home", control: Succeeds, act: |stage| write(&stage.home.join("new")) },
    Attempt { name: "add_to_a_start_script", control: Succeeds, act: add_to_a_start_script },
    Attempt { name: "remove_a_file", control: Succeeds, act: |stage| done(fs::remove_file(stage.home.join("secret"))) },
    Attempt { name: "rename_a_file", control: Succeeds, act: rename_a_file },
    Attempt { name: "hard_link_to_a_secret", control: Succeeds, act: hard_link },
    Attempt { name: "link_to_a_secret", control: Succeeds, act: soft_link },
    Attempt {
        name: "follow_a_link_of_the_model",
        control: Succeeds,
        act: |stage| secret(&stage.model.join("out"), stage),
    },
    Attempt { name: "go_up_from_the_model", control: Succeeds, act: go_up },
    Attempt { name: "change_the_model", control: Succeeds, act: change_the_model },
    Attempt { name: "add_to_the_model", control: Succeeds, act: |stage| write(&stage.model.join("added")) },
    Attempt { name: "make_the_model_executable", control: Succeeds, act: make_executable },
    Attempt { name: "write_to_scratch", control: Succeeds, act: |stage| write(&stage.scratch.join("left")) },
    Attempt { name: "make_a_folder_in_scratch", control: Succeeds, act: make_a_folder },
    Attempt { name: "fill_the_disk", control: Succeeds, act: fill_the_disk },
    Attempt { name: "read_an_inherited_file", control: Succeeds, act: inherited },
    Attempt {
        name: "read_shared_memory_files",
        control: Succeeds,
        act: |stage| secret(&Path::new("/dev/shm").join(&stage.shm), stage),
    },
    Attempt { name: "read_sys", control: Succeeds, act: |_| list(Path::new("/sys/class/net")) },
    Attempt { name: "open_a_terminal", control: Succeeds, act: |_| open_to_write("/dev/ptmx") },
    Attempt { name: "open_a_disk", control: Never, act: |_| open_to_write("/dev/vda") },
    Attempt { name: "open_by_handle", control: Never, act: open_by_handle },
    Attempt { name: "push_keys_into_a_terminal", control: Depends, act: push_keys },
];

pub(super) fn done<T>(result: std::io::Result<T>) -> Result<String, Stopped> {
    result.map(|_| "done".into()).map_err(Stopped::from)
}

/// Whether what is read is the secret.
fn secret(path: &Path, stage: &Stage) -> Result<String, Stopped> {
    let text = fs::read_to_string(path)?;
    if text.contains(&stage.secret) { Ok(text) } else { Err(not("something else was read")) }
}

fn read(path: &str) -> Result<String, Stopped> {
    Ok(format!("{} bytes", fs::read(path)?.len()))
}

fn list(folder: &Path) -> Result<String, Stopped> {
    match fs::read_dir(folder)?.flatten().count() {
        0 => Err(not("it is empty")),
        count => Ok(format!("{count} names")),
    }
}

fn write(path: &Path) -> Result<String, Stopped> {
    done(File::create_new(path)?.write_all(b"x"))
}

fn open_to_write(path: &str) -> Result<String, Stopped> {
    done(File::options().read(true).write(true).open(path))
}

fn add_to_a_start_script(stage: &Stage) -> Result<String, Stopped> {
    done(File::options().append(true).open(stage.home.join(".bashrc"))?.write_all(b"echo taken\n"))
}

fn rename_a_file(stage: &Stage) -> Result<String, Stopped> {
    done(fs::rename(stage.home.join("secret"), stage.home.join("other")))
}

fn hard_link(stage: &Stage) -> Result<String, Stopped> {
    let link = stage.scratch.join("hard");
    fs::hard_link(stage.home.join("secret"), &link)?;
    secret(&link, stage)
}

fn soft_link(stage: &Stage) -> Result<String, Stopped> {
    let link = stage.scratch.join("soft");
    symlink(stage.home.join("secret"), &link)?;
    secret(&link, stage)
}

fn go_up(stage: &Stage) -> Result<String, Stopped> {
    let mut path = stage.model.clone();
    (0..stage.model.iter().count()).for_each(|_| path.push(".."));
    secret(&path.join(stage.home.strip_prefix("/")?).join("secret"), stage)
}

fn change_the_model(stage: &Stage) -> Result<String, Stopped> {
    done(File::options().write(true).open(stage.model.join("model.bin"))?.write_all(b"x"))
}

fn make_executable(stage: &Stage) -> Result<String, Stopped> {
    done(fs::set_permissions(stage.model.join("model.bin"), Permissions::from_mode(0o777)))
}

fn make_a_folder(stage: &Stage) -> Result<String, Stopped> {
    done(fs::create_dir(stage.scratch.join("folder")))
}

fn fill_the_disk(stage: &Stage) -> Result<String, Stopped> {
    let file = File::create_new(stage.scratch.join("big"))?;
    // Only a hole, so that the control harms nobody.
    done(file.set_len(1 << 34))
}

fn inherited(stage: &Stage) -> Result<String, Stopped> {
    let mut bytes = [0; 256];
    let length = call(libc::SYS_pread64, &[stage.inherited as usize, at_mut(&mut bytes), bytes.len(), 0])?;
    if bytes[..length].starts_with(stage.secret.as_bytes()) { Ok("the secret".into()) } else { Err(not("empty")) }
}

fn open_by_handle(stage: &Stage) -> Result<String, Stopped> {
    let mut handle = [0_u32; 34];
    let mut mount = 0_i32;
    handle[0] = 128;
    let path = std::ffi::CString::new(stage.home.join("secret").to_string_lossy().into_owned())?;
    let here = libc::AT_FDCWD as usize;
    call(libc::SYS_name_to_handle_at, &[here, super::calls::text(&path), at_mut(&mut handle), at_mut(&mut mount), 0])?;
    let root = File::open("/")?;
    done(call(libc::SYS_open_by_handle_at, &[root.as_raw_fd() as usize, at(&handle), 0]))
}

fn push_keys(_: &Stage) -> Result<String, Stopped> {
    let mut terminal = File::open("/dev/tty")?;
    call(libc::SYS_ioctl, &[terminal.as_raw_fd() as usize, libc::TIOCSTI as usize, at(&b'x')])?;
    done(terminal.read(&mut [0]))
}
