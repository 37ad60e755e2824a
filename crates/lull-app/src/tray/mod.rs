//! The icon beside the clock.

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "elsewhere.rs")]
mod platform;

mod pictures;

pub(crate) use platform::{Place, Tray, beside};

/// What the tray says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Nothing on this desktop shows tray icons now.
    Nowhere,
}
