//! What a process may do because of who it is.

use std::io;

use rustix::{
    process::{DumpableBehavior, Pid, Signal},
    thread::{CapabilitySet, CapabilitySets},
};

/// From now on no program that is started gains rights.
pub(super) fn no_new() -> Result<(), String> {
    let set = rustix::thread::set_no_new_privs(true).and_then(|()| rustix::thread::no_new_privs());
    if set == Ok(true) { Ok(()) } else { Err(format!("the kernel has no such thing: {set:?}")) }
}

/// Gives up every capability, also those that only a program started later would have. Those are kept from a process
/// without rights of its own that cannot have them taken: with no new privileges they are out of reach, too.
pub(super) fn drop_all() -> Result<(), String> {
    let failed = |error| format!("capabilities cannot be given up: {error}");
    rustix::thread::clear_ambient_capability_set().map_err(failed)?;
    for bit in 0..u64::BITS {
        // Beyond the last one that the kernel knows, and without the right to do so, it fails.
        if rustix::thread::remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << bit)).is_err() {
            break;
        }
    }
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, sets).map_err(failed)
}

/// No dump, and nobody of the same user may look into its memory.
pub(super) fn no_dump() -> Result<(), String> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| format!("dumps cannot be forbidden: {error}"))?;
    match rustix::process::dumpable_behavior() {
        Ok(DumpableBehavior::NotDumpable) => Ok(()),
        other => Err(format!("dumps were forbidden, but are still allowed: {other:?}")),
    }
}

/// Has this process die with whoever started it: what changes its rights takes that back.
pub(super) fn die_with(parent: Option<Pid>) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have died just before.
    if rustix::process::getppid() == parent {
        Ok(())
    } else {
        Err(io::Error::other("the node has gone while its worker was confining itself"))
    }
}
