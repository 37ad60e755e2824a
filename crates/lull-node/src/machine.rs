//! What belongs to the machine rather than to one of its people.

#[cfg_attr(target_os = "linux", path = "machine_linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "machine_other.rs")]
mod platform;

pub(crate) use platform::{MachineLock, invitation, lock};
