//! The machine itself: room on the disk, swap, memory dumps.

use std::{fs, path::Path};

use lull_types::Finding;

use super::{attention, broken, good};

/// With less room than this a model does not fit, in bytes.
const ROOM_FEW: u64 = 5_000_000_000;
/// With less room than this the node itself cannot work, in bytes.
const ROOM_NONE: u64 = 200_000_000;
/// How many devices below one another are looked at for encryption: a volume, its group, its disk.
const DEVICES_DEEP_MAX: usize = 4;

/// `root`: `/`, except in tests.
pub(super) fn findings(root: &Path, home: &Path) -> Vec<Finding> {
    let mut findings: Vec<Finding> = free_bytes(home).map(room).into_iter().collect();
    if cfg!(target_os = "linux") {
        findings.extend([swap(root), dumps(root)]);
    }
    findings
}

fn room(free: u64) -> Finding {
    let text = format!("{}.{} GB free where LULL_HOME is", free / 1_000_000_000, free % 1_000_000_000 / 100_000_000);
    match free {
        ..ROOM_NONE => broken("disk", text, "free some space"),
        ROOM_NONE..ROOM_FEW => attention("disk", text, "free some space before adding a model"),
        _ => good("disk", text),
    }
}

/// What a user may still write, on the disk of a folder or of the first one above it that is there.
#[cfg(target_os = "linux")]
fn free_bytes(home: &Path) -> Option<u64> {
    let found = home.ancestors().find_map(|folder| rustix::fs::statvfs(folder).ok())?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Not asked for on this system yet.
#[cfg(not(target_os = "linux"))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

fn swap(root: &Path) -> Finding {
    let Ok(text) = fs::read_to_string(root.join("proc/swaps")) else {
        return attention("swap", "unknown: the system does not say whether memory is swapped out", UNENCRYPTED);
    };
    let places: Vec<&str> = text.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    let on_disk: Vec<&str> = places.iter().filter(|place| !place.starts_with("/dev/zram")).copied().collect();
    let kinds: Vec<Option<bool>> = on_disk.iter().map(|place| is_encrypted(root, place)).collect();
    match (on_disk.as_slice(), kinds.contains(&Some(false)), kinds.contains(&None)) {
        ([], ..) if places.is_empty() => good("swap", "none: no memory is ever written to a disk"),
        ([], ..) => good("swap", "only into memory (zram): none is ever written to a disk"),
        (_, false, false) => good("swap", format!("{} is encrypted", on_disk.join(", "))),
        (_, true, _) => {
            attention("swap", format!("{} may take up memory of jobs, unencrypted", on_disk.join(", ")), UNENCRYPTED)
        }
        (_, false, true) => {
            let found = format!("{} may take up memory of jobs; unknown whether it is encrypted", on_disk.join(", "));
            attention("swap", found, UNENCRYPTED)
        }
    }
}

const UNENCRYPTED: &str = "encrypt the swap space or the disk below it, or use zram instead";

/// Whether what is written to a swap space is encrypted; `None`: not known, as with files.
fn is_encrypted(root: &Path, place: &str) -> Option<bool> {
    let device = fs::canonicalize(root.join(place.strip_prefix('/')?)).ok()?;
    let name = device.file_name()?.to_str()?;
    let found = root.join("sys/class/block").join(name);
    (place.starts_with("/dev/") && found.exists()).then(|| is_crypt(&found, DEVICES_DEEP_MAX))
}

/// Whether a block device, or all that it lies on, is encrypted by device mapper.
fn is_crypt(device: &Path, deep: usize) -> bool {
    if fs::read_to_string(device.join("dm/uuid")).is_ok_and(|uuid| uuid.starts_with("CRYPT-")) {
        return true;
    }
    let Some(deep) = deep.checked_sub(1) else { return false };
    let below: Vec<_> = fs::read_dir(device.join("slaves")).into_iter().flatten().flatten().collect();
    !below.is_empty() && below.iter().all(|entry| is_crypt(&entry.path(), deep))
}

fn dumps(root: &Path) -> Finding {
    let workers = "a worker's memory is never dumped: it forbids that itself";
    let limits = fs::read_to_string(root.join("proc/self/limits")).unwrap_or_default();
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max core file size"));
    match limit.and_then(|line| line.split_whitespace().next()) {
        Some("0") => good("dumps", format!("{workers}, and neither is a node's that is started here")),
        _ => {
            let pattern = fs::read_to_string(root.join("proc/sys/kernel/core_pattern")).unwrap_or_default();
            let found = format!(
                "{workers}; a crashed node's may be, to {}",
                pattern.split_whitespace().next().unwrap_or("an unknown place")
            );
            attention("dumps", found, "start the node with `ulimit -c 0`, or LimitCORE=0 in its systemd unit")
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use lull_types::Health;

    use super::*;

    struct Root(tempfile::TempDir);

    impl Root {
        fn new(swaps: &str) -> Self {
            let root = Self(tempfile::tempdir().unwrap());
            root.file("proc/swaps", &format!("Filename Type Size Used Priority\n{swaps}"));
            root
        }

        fn file(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn swap(&self) -> (Health, String) {
            let Finding { health, found, .. } = swap(self.0.path());
            (health, found)
        }
    }

    #[test]
    fn swap_is_told_from_swap_that_nobody_can_read() {
        assert_eq!(Root::new("").swap().0, Health::Good);
        assert_eq!(Root::new("/dev/zram0 partition 1 0 100\n").swap().0, Health::Good);
        let file = Root::new("/swapfile file 1 0 -2\n");
        file.file("swapfile", "");
        assert_eq!(file.swap().0, Health::Attention);
        assert!(file.swap().1.contains("unknown whether"), "{:?}", file.swap());

        let plain = Root::new("/dev/zram0 partition 1 0 100\n/dev/sda2 partition 1 0 -2\n");
        plain.file("dev/sda2", "");
        plain.file("sys/class/block/sda2/size", "1");
        assert_eq!(plain.swap().0, Health::Attention);
        assert!(plain.swap().1.contains("/dev/sda2 may take up memory of jobs, unencrypted"), "{:?}", plain.swap());

        let volume = Root::new("/dev/dm-1 partition 1 0 -2\n");
        volume.file("dev/dm-1", "");
        volume.file("sys/class/block/dm-1/dm/uuid", "LVM-abc");
        volume.file("sys/class/block/dm-1/slaves/dm-0/dm/uuid", "CRYPT-LUKS2-abc");
        assert_eq!(volume.swap().0, Health::Good);
        volume.file("sys/class/block/dm-1/slaves/sdb/size", "1");
        assert_eq!(volume.swap().0, Health::Attention, "half of it is plain");
    }

    #[test]
    fn a_core_limit_of_nothing_is_good() {
        let root = Root::new("");
        root.file("proc/self/limits", "Max core file size        0                    unlimited            bytes\n");
        assert_eq!(dumps(root.0.path()).health, Health::Good);
        root.file("proc/self/limits", "Max core file size        unlimited            unlimited            bytes\n");
        root.file("proc/sys/kernel/core_pattern", "|/usr/lib/systemd/systemd-coredump %P\n");
        let found = dumps(root.0.path());
        assert!(found.health == Health::Attention && found.found.contains("systemd-coredump"), "{found:?}");
    }

    #[test]
    fn little_room_is_told_from_none() {
        let healths = [100_000_000, 2_000_000_000, 50_000_000_000].map(|free| room(free).health);
        assert_eq!(healths, [Health::Broken, Health::Attention, Health::Good]);
        assert!(free_bytes(Path::new("/nowhere/at/all")).is_some(), "the first folder above counts");
    }
}
