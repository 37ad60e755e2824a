//! What the system can give to programs right now.

use std::{
    fs::File,
    io::{Read as _, Seek as _},
};

use anyhow::{Context as _, Result};

/// The two files that tell, kept open: reading both takes well below a tenth of a millisecond.
pub(super) struct Spare {
    meminfo: File,
    zoneinfo: File,
    text: String,
}

impl Spare {
    pub(super) fn open() -> Result<Self> {
        let open = |path| File::open(path).with_context(|| format!("{path} cannot be read"));
        Ok(Self { meminfo: open("/proc/meminfo")?, zoneinfo: open("/proc/zoneinfo")?, text: String::new() })
    }

    /// In bytes: `MemAvailable`, and the free pages that it does not count because they lie on a processor's own list,
    /// from where the next program takes them. A process that ends can leave hundreds of MiB there.
    pub(super) fn bytes(&mut self) -> Result<u64> {
        let available = available(read(&mut self.meminfo, &mut self.text)?).context("no MemAvailable")?;
        let listed = listed(read(&mut self.zoneinfo, &mut self.text)?).context("no lists in /proc/zoneinfo")?;
        Ok(available + listed * rustix::param::page_size() as u64)
    }
}

fn read<'a>(file: &mut File, text: &'a mut String) -> Result<&'a str> {
    text.clear();
    file.rewind()?;
    file.read_to_string(text)?;
    Ok(text)
}

/// In bytes.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
}

/// In pages; `None` if there is no list.
fn listed(zoneinfo: &str) -> Option<u64> {
    let counts = zoneinfo.lines().filter_map(|line| line.trim_start().strip_prefix("count:"));
    counts.map(|count| count.trim().parse::<u64>().ok()).reduce(|sum, count| Some(sum? + count?))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_pages_on_a_processors_own_list_count() {
        let meminfo = "MemTotal:       24682804 kB\nMemFree:        16769024 kB\nMemAvailable:   23551488 kB\n";
        assert_eq!((available(meminfo), available("MemFree: 1 kB\n")), (Some(23_551_488 << 10), None));
        let zoneinfo = "Node 0, zone   Normal\n  pages free     3076791\n        managed  4980736\n      nr_free_pages 3\n  \
                        pagesets\n    cpu: 0\n              count:    9598\n              high:     1\n    cpu: 1\n\
                        \x20             count:    23834\nNode 0, zone  DMA32\n  pagesets\n    cpu: 0\n  count: 2\n";
        assert_eq!((listed(zoneinfo), listed("pagesets\n"), listed("count: many")), (Some(33_434), None, None));
    }

    #[test]
    fn this_machine_tells() {
        let mut spare = Spare::open().unwrap();
        let before = spare.bytes().unwrap();
        assert!(before > 0);
        // The files are read from the start each time.
        assert!(spare.bytes().unwrap().abs_diff(before) < before);
    }
}
