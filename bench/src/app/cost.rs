//! Memory and processor time of a process and all that it has started.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use lull_tests::children;

/// A process whose family is looked at.
pub(super) struct Cost {
    root: u32,
}

/// What a family costs while nothing happens.
#[derive(Debug)]
pub(super) struct Rest {
    /// Of one core, all processes together.
    pub(super) cpu_percent: f64,
    /// Proportional set sizes in KiB, by name of the program.
    pss_kib: Vec<(String, u64)>,
}

impl Rest {
    /// All processes together, in MB.
    pub(super) fn pss_mb(&self) -> f64 {
        self.pss_kib.iter().map(|(_, kib)| mb(*kib)).sum()
    }

    /// How many processes there are.
    pub(super) fn processes(&self) -> usize {
        self.pss_kib.len()
    }

    /// Each program with its share, in MB.
    pub(super) fn parts(&self) -> String {
        let words: Vec<String> = self.pss_kib.iter().map(|(name, kib)| format!("{name} {:.1}", mb(*kib))).collect();
        words.join(", ")
    }
}

fn mb(kib: u64) -> f64 {
    (kib * 1024) as f64 / 1e6
}

impl Cost {
    pub(super) fn of(root: u32) -> Self {
        Self { root }
    }

    /// Memory as it is now, and processor time over so long.
    pub(super) fn over(&self, watched: Duration) -> Result<Rest> {
        let pss_kib = self.pss_kib()?;
        let (before, began) = (self.ticks(), Instant::now());
        thread::sleep(watched);
        let (after, passed) = (self.ticks(), began.elapsed());
        // Who came meanwhile began with nothing; who went is no longer known.
        let spent: u64 = after.iter().map(|(pid, ticks)| ticks.saturating_sub(*before.get(pid).unwrap_or(&0))).sum();
        let per_second = rustix::param::clock_ticks_per_second() as f64;
        Ok(Rest { cpu_percent: spent as f64 / per_second / passed.as_secs_f64() * 100.0, pss_kib })
    }

    fn family(&self) -> BTreeSet<u32> {
        let mut all = BTreeSet::from([self.root]);
        let mut next = vec![self.root];
        while let Some(pid) = next.pop() {
            next.extend(children(pid).into_iter().filter(|child| all.insert(*child)));
        }
        all
    }

    fn pss_kib(&self) -> Result<Vec<(String, u64)>> {
        let mut found = Vec::new();
        for pid in self.family() {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            // One that has just ended has nothing.
            let Ok(rollup) = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else { continue };
            found.push((name.trim_end().to_owned(), pss(&rollup).with_context(|| format!("no Pss of {pid}"))?));
        }
        ensure!(!found.is_empty(), "process {} has ended, or its memory may not be read", self.root);
        Ok(found)
    }

    fn ticks(&self) -> BTreeMap<u32, u64> {
        let of = |pid: u32| Some((pid, spent(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?));
        self.family().into_iter().filter_map(of).collect()
    }
}

/// The proportional set size in a `smaps_rollup`, in KiB.
fn pss(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// User and system time in a `stat`, in ticks.
fn spent(stat: &str) -> Option<u64> {
    // The name may hold anything, so the fields are counted after it: the state is the third.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_the_kernel_are_read() {
        let rollup = "55d0-7ffe ---p 00000000 00:00 0 [rollup]\nRss:  9 kB\nPss:    1234 kB\nPss_Dirty:  7 kB\n";
        assert_eq!(pss(rollup), Some(1_234));
        assert_eq!(pss("Rss: 9 kB\n"), None);
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 250 31 9 9 20 0 1 0 100 5 6";
        assert_eq!(spent(stat), Some(281));
        assert_eq!(spent("7 (lull"), None);
    }
}
