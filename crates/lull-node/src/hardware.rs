//! What this machine has.

/// The processor's threads that this process may use.
pub(crate) fn cores() -> u16 {
    std::thread::available_parallelism().map_or(1, |cores| u16::try_from(cores.get()).unwrap_or(u16::MAX))
}

/// What kind of machine this is, in a few words that name nobody, for whoever it answers.
pub(crate) fn kind() -> String {
    match cores() {
        1 => "1 thread".into(),
        more => format!("{more} threads"),
    }
}

/// Physical memory, in bytes, where the system says.
#[cfg(target_os = "linux")]
pub(crate) fn memory_bytes() -> Option<u64> {
    let system = rustix::system::sysinfo();
    Some(system.totalram * u64::from(system.mem_unit))
}

/// Not asked for on this system yet.
#[cfg(not(target_os = "linux"))]
pub(crate) fn memory_bytes() -> Option<u64> {
    None
}
