//! Arm64 has no older forms of the system calls on the list.

use super::Allowed;

/// While loading.
pub(super) fn load(_: &mut Allowed) {}

/// When it has loaded.
pub(super) fn run(_: &mut Allowed) {}
