//! What the window's pages weigh, and how long their frames take: what ui/dev prints.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::setup;

/// Streaming, as the page lived it.
#[derive(Debug, PartialEq)]
pub(super) struct Frames {
    /// The longest gap between two frames, by the clock, in milliseconds.
    pub(super) longest_ms: f64,
    /// The longest task of the page, in milliseconds of processor time.
    pub(super) longest_task_ms: f64,
    /// Gaps over 50 ms, by the clock.
    pub(super) late: u64,
    /// All gaps.
    pub(super) count: u64,
}

/// Everything of the built pages, each file by itself under gzip -9.
pub(super) fn gzip_bytes() -> Result<u64> {
    gzip_of(&node(&["dev/size.mjs"], &[0])?).context("ui/dev/size.mjs says no size")
}

/// 100 tokens a second under a conversation of 2,000 lines, for so long.
pub(super) fn frames(seconds: u64) -> Result<Frames> {
    eprintln!("frames, about {} s", 3 * seconds + 40);
    // It ends with 1 when a task was too long, which is a result here.
    let said = node(&["dev/frames.mjs", &seconds.to_string()], &[0, 1])?;
    frames_of(&said).with_context(|| format!("ui/dev/frames.mjs says no frames: {said}"))
}

fn node(arguments: &[&str], fine: &[i32]) -> Result<String> {
    let mut command = Command::new("node");
    command.args(arguments).current_dir(setup::sources().join("ui")).stdin(Stdio::null());
    let output = command.output().context("node does not start; install Node: https://nodejs.org")?;
    let ended = output.status.code().is_some_and(|code| fine.contains(&code));
    ensure!(ended, "node {} failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn gzip_of(said: &str) -> Option<u64> {
    said.lines().find(|line| line.contains("gzip in all"))?.split_whitespace().next()?.parse().ok()
}

/// Of the part in which answers stream under a long conversation.
fn frames_of(said: &str) -> Option<Frames> {
    let mut lines = said.lines().skip_while(|line| !line.starts_with("100 tokens/s under")).skip(1);
    let (clock, tasks) = (lines.next()?, lines.next()?);
    let after = |line: &str, word: &str| {
        let rest = line.split_once(word)?.1.trim_start();
        rest.split([' ', ',', ';']).next().map(str::to_owned)
    };
    Some(Frames {
        longest_ms: after(clock, ", max ")?.parse().ok()?,
        longest_task_ms: after(tasks, ", max ")?.parse().ok()?,
        late: after(clock, "over 50 ms:")?.parse().ok()?,
        count: after(clock, "by the clock:")?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_pages_tools_print_is_read() {
        let said = "Opening a conversation of 2000 lines\n  frames by the clock: 9, p50 16.7, p99 90.0, max 99.0 ms; \
                    over 50 ms: 2\n  main-thread tasks by processor time: 8, p99 1.0, max 77.0 ms; over 50 ms: 1\n\
                    100 tokens/s under 2000 lines, from the question on\n  frames by the clock: 700, p50 16.7, p99 \
                    20.1, max 33.4 ms; over 50 ms: 0\n  main-thread tasks by processor time: 4000, p99 3.0, max 12.5 \
                    ms; over 50 ms: 0\n";
        let frames = frames_of(said).unwrap();
        assert_eq!(frames, Frames { longest_ms: 33.4, longest_task_ms: 12.5, late: 0, count: 700 });
        assert_eq!(frames_of("100 tokens/s under 2000 lines\n"), None);
        assert_eq!(gzip_of("  430 gzip   827  dist/index.html\n227480 gzip in all, of 250000\n"), Some(227_480));
        assert_eq!(gzip_of(""), None);
    }
}
