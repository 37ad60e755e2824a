//! Linux: what a process puts up around itself, in the order in which one layer does not hinder the next.

mod filter;
mod limits;
mod rights;
mod rules;
mod spaces;
mod status;

use std::{
    io,
    os::fd::{AsRawFd as _, RawFd},
    path::{Path, PathBuf},
};

use lull_types::Layer;
use status::Status;

use super::calls;
use crate::{
    Profile,
    confine::{Confine, Report, no_foreign_environment},
};

/// A process behind its walls.
#[derive(Debug)]
pub(crate) struct Inside {
    profile: Profile,
    model: PathBuf,
    scratch: PathBuf,
}

impl Inside {
    pub(crate) fn enter(wanted: &Confine, report: &mut Report) -> io::Result<Self> {
        let parent = rustix::process::getppid();
        let status = Status::open()?;
        if status.read()?.threads != Some(1) {
            return Err(io::Error::other("a process can confine itself only while it has one thread"));
        }
        let mut keep = wanted.keep.clone();
        keep.extend([0, 1, 2, status.as_raw_fd()]);
        report.put_up(Layer::Descriptors, || descriptors(&keep));
        report.put_up(Layer::Limits, || limits::set(wanted.profile, wanted.memory_max, &wanted.model));
        let place = spaces::enter(wanted, report)?;
        if report.is_up(Layer::Limits) && place.is_own_user {
            limits::set_threads(report);
        }
        report.put_up(Layer::NoNewPrivileges, rights::no_new);
        report.put_up(Layer::NoCapabilities, rights::drop_all);
        report.put_up(Layer::NoDump, rights::no_dump);
        rights::die_with(parent)?;
        report.put_up(Layer::Files, || rules::files(wanted.profile, &place.model));
        report.put_up(Layer::Ports, rules::ports);
        report.put_up(Layer::Scope, rules::scope);
        report.put_up(Layer::LoadFilter, || filter::load(wanted.profile));
        status.read()?.confirm(report);
        Ok(Self { profile: wanted.profile, model: place.model, scratch: wanted.scratch.clone() })
    }

    pub(crate) fn model(&self) -> &Path {
        &self.model
    }

    pub(crate) fn scratch(&self) -> &Path {
        &self.scratch
    }

    pub(crate) fn seal(&mut self, report: &mut Report) -> io::Result<()> {
        if !report.is_wanted(Layer::RunFilter) {
            return Ok(());
        }
        if report.is_up(Layer::Files) && self.profile == Profile::Cpu {
            // Holds for this thread and those it starts; the filter holds for all.
            rules::nothing().map_err(io::Error::other)?;
        }
        filter::run(self.profile).map_err(io::Error::other)?;
        report.put_up(Layer::RunFilter, || Ok(()));
        Ok(())
    }
}

/// Closes every open file but these, and sees that there is no environment but the node's.
fn descriptors(keep: &[RawFd]) -> Result<(), String> {
    calls::close_all_but(keep).map_err(|error| format!("open files cannot be closed: {error}"))?;
    let open = std::fs::read_dir("/proc/self/fd").map_err(|error| format!("/proc/self/fd cannot be read: {error}"))?;
    // The folder that is being read is open as well, and closed when it has been read.
    let open: Vec<RawFd> = open.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    if let Some(more) = open.iter().find(|fd| !keep.contains(fd) && is_open(**fd)) {
        return Err(format!("the file {more} is still open"));
    }
    no_foreign_environment()
}

fn is_open(fd: RawFd) -> bool {
    Path::new(&format!("/proc/self/fd/{fd}")).symlink_metadata().is_ok()
}
