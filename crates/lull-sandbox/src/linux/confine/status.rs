//! What the kernel says of this process, to compare with what was asked.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsRawFd, RawFd},
        unix::fs::FileExt as _,
    },
};

use lull_types::Layer;

use crate::confine::Report;

/// More than `/proc/self/status` ever takes, in bytes.
const STATUS_BYTES_MAX: usize = 8 << 10;

/// `/proc/self/status`, kept open for when `/proc` is out of reach.
pub(super) struct Status(File);

/// What was read at one moment.
pub(super) struct Seen {
    pub(super) threads: Option<u64>,
    has_no_capabilities: bool,
    no_new_privileges: bool,
    filters: Option<u64>,
}

impl Status {
    pub(super) fn open() -> io::Result<Self> {
        let open = File::open("/proc/self/status");
        open.map(Self).map_err(|error| io::Error::other(format!("/proc/self/status cannot be read: {error}")))
    }

    pub(super) fn read(&self) -> io::Result<Seen> {
        let mut bytes = [0; STATUS_BYTES_MAX];
        let mut length = 0;
        while let more @ 1.. = self.0.read_at(&mut bytes[length..], length as u64)? {
            length += more;
        }
        Ok(Seen::parse(&String::from_utf8_lossy(&bytes[..length])))
    }
}

impl AsRawFd for Status {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Seen {
    fn parse(text: &str) -> Self {
        let value = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim).unwrap_or_default()
        };
        let is_none = |name: &str| !value(name).is_empty() && value(name).bytes().all(|digit| digit == b'0');
        Self {
            threads: value("Threads").parse().ok(),
            has_no_capabilities: ["CapInh", "CapPrm", "CapEff", "CapAmb"].into_iter().all(is_none),
            no_new_privileges: value("NoNewPrivs") == "1",
            filters: (value("Seccomp") == "2").then(|| value("Seccomp_filters").parse().unwrap_or(1)),
        }
    }

    /// Takes back what the kernel does not confirm.
    pub(super) fn confirm(&self, report: &mut Report) {
        let seen = [
            (Layer::NoCapabilities, self.has_no_capabilities),
            (Layer::NoNewPrivileges, self.no_new_privileges),
            (Layer::LoadFilter, self.filters.is_some_and(|filters| filters > 0)),
        ];
        for (layer, is_up) in seen {
            if report.is_up(layer) && !is_up {
                report.lacks(layer, "the kernel took it, but does not show it in /proc/self/status");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_shown_is_believed() {
        let text = "Name:\tx\nThreads:\t1\nCapInh:\t0000\nCapPrm:\t0000\nCapEff:\t0000\nCapBnd:\t01ff\nCapAmb:\t0000\n\
            NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n";
        let seen = Seen::parse(text);
        assert_eq!(
            (seen.threads, seen.has_no_capabilities, seen.no_new_privileges, seen.filters),
            (Some(1), true, true, Some(3))
        );
        for (line, other) in [("CapEff:\t0000", "CapEff:\t0400"), ("CapAmb:\t0000", "")] {
            assert!(!Seen::parse(&text.replace(line, other)).has_no_capabilities, "{other}");
        }
        assert!(!Seen::parse(&text.replace("NoNewPrivs:\t1", "NoNewPrivs:\t0")).no_new_privileges);
        assert_eq!(Seen::parse(&text.replace("Seccomp:\t2", "Seccomp:\t0")).filters, None);
    }
}
