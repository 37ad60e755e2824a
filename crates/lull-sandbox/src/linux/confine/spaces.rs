//! Namespaces: a user, a network, shared memory and a root folder that are the worker's alone.

use std::{
    fs, io,
    os::fd::{AsFd as _, OwnedFd},
    path::{Path, PathBuf},
};

use lull_types::Layer;
use rustix::{
    fs::{CWD, StatVfsMountFlags},
    mount::{MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags},
    thread::UnshareFlags,
};

use super::calls;
use crate::{
    Profile,
    confine::{Confine, Report},
};

/// The layers that take a user namespace.
const LAYERS: [Layer; 3] = [Layer::OwnNetwork, Layer::OwnIpc, Layer::OwnRoot];
/// Where the model lies in a root folder of its own.
const MODEL: &str = "/model";
/// The root folder holds folders and nothing else.
const ROOT_OPTIONS: &std::ffi::CStr = c"mode=0755,size=64k,nr_inodes=256";
/// The most folders in a scratch folder that are there again in the new root.
const FOLDERS_MAX: usize = 16;

/// Where a process finds itself.
pub(super) struct Place {
    pub(super) model: PathBuf,
    /// Whether it is in a user namespace of its own.
    pub(super) is_own_user: bool,
}

pub(super) fn enter(wanted: &Confine, report: &mut Report) -> io::Result<Place> {
    let mut place = Place { model: wanted.model.clone(), is_own_user: false };
    if wanted.profile == Profile::Cuda && report.is_wanted(Layer::OwnRoot) {
        report.lacks(Layer::OwnRoot, "the driver of the GPU needs the system's libraries and devices");
    }
    let is_due = |report: &Report, layer| {
        report.is_wanted(layer) && !(layer == Layer::OwnRoot && wanted.profile == Profile::Cuda)
    };
    if !LAYERS.into_iter().any(|layer| is_due(report, layer)) {
        return Ok(place);
    }
    if let Err(why) = own_user() {
        LAYERS.into_iter().filter(|layer| is_due(report, *layer)).collect::<Vec<_>>().into_iter().for_each(|layer| {
            report.lacks(layer, why.clone());
        });
        return Ok(place);
    }
    place.is_own_user = true;
    report.put_up(Layer::OwnNetwork, || own("net", UnshareFlags::NEWNET));
    report.put_up(Layer::OwnIpc, || own("ipc", UnshareFlags::NEWIPC));
    if is_due(report, Layer::OwnRoot) {
        match own_root(wanted) {
            Ok(()) => {
                report.put_up(Layer::OwnRoot, || Ok(()));
                place.model = MODEL.into();
            }
            Err(Failed::Halfway(error)) => return Err(error),
            Err(Failed::Before(why)) => report.lacks(Layer::OwnRoot, why),
        }
    }
    Ok(place)
}

/// A user namespace in which this process is who it was before.
fn own_user() -> Result<(), String> {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    calls::unshare(UnshareFlags::NEWUSER).map_err(|error| {
        format!(
            "this system lets no program have a user namespace: {error}. Have it allow them to Lull: with AppArmor by \
             a profile (sysctl kernel.apparmor_restrict_unprivileged_userns), else by user.max_user_namespaces"
        )
    })?;
    let write = |name: &str, text: String| {
        fs::write(format!("/proc/self/{name}"), text).map_err(|error| format!("/proc/self/{name}: {error}"))
    };
    write("setgroups", "deny".into())?;
    write("uid_map", format!("{user} {user} 1"))?;
    write("gid_map", format!("{group} {group} 1"))
}

/// A namespace of one kind, seen to be another than before.
fn own(kind: &str, flag: UnshareFlags) -> Result<(), String> {
    let name = || fs::read_link(format!("/proc/self/ns/{kind}")).map_err(|error| format!("/proc/self/ns: {error}"));
    let before = name()?;
    calls::unshare(flag).map_err(|error| refused(&format!("a namespace of its own ({kind})"), &error))?;
    if name()? == before { Err(format!("the namespace {kind} is still the same")) } else { Ok(()) }
}

fn refused(what: &str, error: &rustix::io::Errno) -> String {
    match *error {
        rustix::io::Errno::PERM | rustix::io::Errno::ACCESS => format!(
            "{what} was refused: {error}. On systems with AppArmor, Lull needs a profile that allows it user namespaces"
        ),
        _ => format!("{what} cannot be had: {error}"),
    }
}

enum Failed {
    /// Nothing has changed that matters.
    Before(String),
    /// Neither the old root nor the new one.
    Halfway(io::Error),
}

/// A root folder with the model and nothing else, in which nothing can be written.
fn own_root(wanted: &Confine) -> Result<(), Failed> {
    let before = |what: &'static str| move |error: rustix::io::Errno| Failed::Before(refused(what, &error));
    let folders = folders_in(&wanted.scratch);
    own("mnt", UnshareFlags::NEWNS | UnshareFlags::NEWUTS).map_err(Failed::Before)?;
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(before("mounts of its own"))?;
    let model = clone_of(&wanted.model).map_err(|error| match error {
        // The kernel does not let what is mounted below it be uncovered.
        rustix::io::Errno::INVAL => Failed::Before(format!(
            "{} cannot be shown alone, because something else is mounted below it; have Lull keep its models elsewhere \
             (LULL_HOME)",
            wanted.model.display()
        )),
        error => Failed::Before(refused("a view of the model folder", &error)),
    })?;
    let (root, flags) = (&wanted.scratch, MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC);
    rustix::mount::mount("lull", root, "tmpfs", flags, Some(ROOT_OPTIONS)).map_err(before("a root folder"))?;
    if let Err(why) = furnish(root, model, &wanted.scratch, &folders) {
        let _ = rustix::mount::unmount(root, UnmountFlags::DETACH);
        return Err(Failed::Before(why));
    }
    rustix::process::chdir(root).map_err(before("a root folder"))?;
    // The old root lies on the new one then, and is taken off again: pivot_root(2), "pivot_root(".", ".")".
    rustix::process::pivot_root(".", ".").map_err(before("a change of the root folder"))?;
    close_off(&wanted.scratch).map_err(Failed::Halfway)
}

fn close_off(scratch: &Path) -> io::Result<()> {
    rustix::mount::unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")?;
    remount("/")?;
    let left: Vec<_> = fs::read_dir("/")?.flatten().map(|entry| entry.file_name()).collect();
    let expected = |name: &std::ffi::OsString| *name == MODEL[1..] || scratch.iter().nth(1) == Some(name);
    let can_write = |place| Ok::<_, io::Error>(!rustix::fs::statvfs(place)?.f_flag.contains(StatVfsMountFlags::RDONLY));
    if !left.iter().all(expected) || can_write("/")? || can_write(MODEL)? {
        return Err(io::Error::other("the new root folder is not what it should be"));
    }
    rustix::process::chdir(scratch)?;
    Ok(())
}

/// The mount that holds a folder, from that folder on.
fn clone_of(folder: &Path) -> rustix::io::Result<OwnedFd> {
    rustix::mount::open_tree(CWD, folder, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)
}

fn furnish(root: &Path, model: OwnedFd, scratch: &Path, folders: &[PathBuf]) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("the new root folder cannot be furnished: {error}");
    let place = root.join(&MODEL[1..]);
    fs::create_dir(&place).map_err(|error| failed(&error))?;
    rustix::mount::move_mount(model.as_fd(), "", CWD, &place, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .map_err(|error| failed(&error))?;
    drop(model);
    remount(&place).map_err(|error| failed(&error))?;
    let scratch = root.join(scratch.strip_prefix("/").map_err(|_| "the scratch folder's path must be absolute")?);
    fs::create_dir_all(&scratch).map_err(|error| failed(&error))?;
    folders.iter().try_for_each(|name| fs::create_dir(scratch.join(name)).map_err(|error| failed(&error)))
}

/// Read-only and harmless; what was forbidden before stays so.
fn remount(place: impl AsRef<Path>) -> rustix::io::Result<()> {
    let place = place.as_ref();
    let had = rustix::fs::statvfs(place)?.f_flag;
    let mut flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    for (seen, flag) in [
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ] {
        flags.set(flag, had.contains(seen));
    }
    rustix::mount::mount_remount(place, flags, c"")?;
    if rustix::fs::statvfs(place)?.f_flag.contains(StatVfsMountFlags::RDONLY) {
        Ok(())
    } else {
        Err(rustix::io::Errno::ROFS)
    }
}

/// The names of the folders in a folder.
fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.take(FOLDERS_MAX).map(|entry| entry.file_name().into()).collect()
}
