//! Bounds that the kernel keeps for a process.

use std::path::Path;

use rustix::process::{Resource, Rlimit};

use lull_types::Layer;

use crate::{Profile, confine::Report};

/// Open files at once.
const FILES_MAX: u64 = 256;
/// Threads of a worker. Only in a user namespace of its own are none but the worker's counted.
const THREADS_MAX: u64 = 512;

/// Address space beyond memory and model: stacks and heaps reserve much more than they use. Page tables for all of it
/// take a five hundred and twelfth, 128 MiB.
const SPACE_SPARE_BYTES: u64 = 64 << 30;

/// Sets all but the bound on threads.
pub(super) fn set(profile: Profile, memory_max: Option<u64>, model: &Path) -> Result<(), String> {
    let mut bounds = vec![
        (Resource::Core, 0),
        (Resource::Nofile, FILES_MAX),
        (Resource::Memlock, 0),
        (Resource::Msgqueue, 0),
        (Resource::Nice, 0),
        (Resource::Rtprio, 0),
    ];
    if profile == Profile::Cuda {
        // The driver pins memory and writes to files that lie in memory.
        bounds.retain(|(resource, _)| *resource != Resource::Memlock);
    } else {
        bounds.push((Resource::Fsize, 0));
        let space = |bytes: u64| bytes.saturating_add(folder_bytes(model)).saturating_add(SPACE_SPARE_BYTES);
        bounds.extend(memory_max.map(|bytes| (Resource::As, space(bytes))));
    }
    bounds.extend(memory_max.map(|bytes| (Resource::Data, bytes)));
    bounds.into_iter().try_for_each(|(resource, most)| set_one(resource, most))
}

/// A model's files may all be mapped.
fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.flatten().filter_map(|entry| Some(entry.metadata().ok()?.len())).sum()
}

/// Bounds the threads. A shortfall of all limits if it cannot be done.
pub(super) fn set_threads(report: &mut Report) {
    if let Err(why) = set_one(Resource::Nproc, THREADS_MAX) {
        report.lacks(Layer::Limits, why);
    }
}

/// Never more than it was: then the system asks for rights that nobody needs.
fn set_one(resource: Resource, most: u64) -> Result<(), String> {
    let have = rustix::process::getrlimit(resource).maximum;
    let most = have.map_or(most, |have| have.min(most));
    let limit = Rlimit { current: Some(most), maximum: Some(most) };
    rustix::process::setrlimit(resource, limit)
        .map_err(|error| format!("the limit {resource:?} cannot be set: {error}"))?;
    if rustix::process::getrlimit(resource) != limit {
        return Err(format!("the limit {resource:?} was set and does not hold"));
    }
    Ok(())
}
