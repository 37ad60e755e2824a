use std::{fs, hint::black_box, process::Command, thread, time::Instant};

/// Processor, cores and memory, in words.
pub(crate) fn describe() -> String {
    let field = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let cpu = field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.into());
    let memory_kib = field("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    let memory = memory_kib.map_or_else(String::new, |kib| format!(", {} GiB", kib >> 20));
    format!("{cpu}, {} cores{memory}, {}", threads(), std::env::consts::OS)
}

/// Cores that may be used.
pub(crate) fn threads() -> u16 {
    thread::available_parallelism().map_or(1, |threads| u16::try_from(threads.get()).unwrap_or(u16::MAX))
}

/// The commit that is measured; with a plus if files differ from it.
pub(crate) fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok()
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else { return "unknown".into() };
    let differs = git(&["status", "--porcelain"]).is_some_and(|status| !status.is_empty());
    commit.trim().to_owned() + if differs { "+" } else { "" }
}

/// What else the machine does: its load average over the last minute.
pub(crate) fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

/// How fast all cores together read memory, in bytes per second: the best of a few passes over 1 GiB.
pub(crate) fn memory_bandwidth() -> f64 {
    const PASSES: usize = 5;
    let data = vec![1_u64; 128 << 20];
    let part = data.len().div_ceil(threads().into());
    let pass = || {
        let started = Instant::now();
        thread::scope(|scope| {
            for chunk in data.chunks(part) {
                scope.spawn(move || black_box(chunk.iter().fold(0_u64, |sum, word| sum.wrapping_add(*word))));
            }
        });
        size_of_val(data.as_slice()) as f64 / started.elapsed().as_secs_f64()
    };
    (0..PASSES).map(|_| pass()).fold(0.0, f64::max)
}
