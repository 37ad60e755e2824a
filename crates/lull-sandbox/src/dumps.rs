//! Memory that must not end up in a file when a process dies.

use std::io;

/// Has the calling process leave no dump, and keeps other programs of the same user from looking into its memory
/// (Linux). Children do not inherit the latter.
///
/// # Errors
/// When the system refuses.
#[cfg(unix)]
pub fn leave_no_dump() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    // A dump that goes to a program, and not to a file, comes whatever this limit says: hence the second step.
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Nothing is done there yet: Windows Error Reporting keeps dumps only where a machine's administrator asked for them.
///
/// # Errors
/// Never.
#[cfg(not(unix))]
pub fn leave_no_dump() -> io::Result<()> {
    Ok(())
}
