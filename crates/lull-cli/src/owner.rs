//! What this machine's owner says: lend, pause, resume. With a node it counts at once, without one from its next start.

use std::path::Path;

use clap::ValueEnum;
use jiff::Zoned;
use lull_node::{AgreedFiles, Home, NodeApi as _, Paused, RemoteNode};
use lull_policy::Source;
use lull_types::{Code, Fault, LendingView, Pause, Reason, Request, Response, Until};
use serde::Serialize;

use crate::{chat, output, output::Failure, status};

const DAY_S: u64 = 86_400;
/// The longest pause that has an end, in seconds.
const PAUSE_MAX_S: u64 = 366 * DAY_S;

/// Agree to lend this machine to the pool, or take that back.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: lull lend on\n\nOff until you agree. Once on, the machine lends while you are away and \
    stops the moment you come back; settings.toml in LULL_HOME says when and how much."
)]
pub(crate) struct LendArgs {
    /// Which
    #[arg(value_enum)]
    pub to: Switch,
    /// Print data for programs
    #[arg(long)]
    pub json: bool,
}

/// Lend or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

/// Take this machine back at once.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: lull pause 1h\n\nWithout a time it is paused until `lull resume`: nothing starts again \
    behind your back. `tomorrow` ends at 6 in the morning of the next day. A pause outlasts a restart, and no rule of \
    your organisation can refuse it."
)]
pub(crate) struct PauseArgs {
    /// For how long: a number and s, m, h or d (such as 30m), `tomorrow`, or `forever`
    #[arg(value_name = "TIME", default_value = "forever", value_parser = pause)]
    pub time: Pause,
    /// Let the job that runs now end first
    #[arg(long)]
    pub finish: bool,
    /// Print data for programs
    #[arg(long)]
    pub json: bool,
}

/// What was said, and what follows from it.
#[derive(Debug, Serialize)]
struct Said {
    /// Whether a node runs, so that it counts already.
    running: bool,
    /// Whether this machine lends. `None` where that cannot be known before the node runs.
    lending: Option<LendingView>,
}

pub(crate) async fn lend(home: &Path, LendArgs { to, json }: LendArgs) -> Result<(), Failure> {
    let on = to == Switch::On;
    let said = say(home, Request::Lend { on }, |files| files.set_enabled(on)).await?;
    show(&said, json, if on { "You agree to lend this machine." } else { "You do not lend this machine." })
}

pub(crate) async fn pause_now(home: &Path, PauseArgs { time, finish, json }: PauseArgs) -> Result<(), Failure> {
    let keep = |files: &AgreedFiles| files.pause(Paused::begin(time, &Zoned::now())?);
    let said = say(home, Request::Pause { pause: time, finish }, keep).await?;
    show(&said, json, "The pause is kept.")
}

pub(crate) async fn resume(home: &Path, json: bool) -> Result<(), Failure> {
    let said = say(home, Request::Resume, AgreedFiles::resume).await?;
    show(&said, json, "This machine is no longer paused.")
}

/// Tells the node. Where none runs, the files that it will read say the same.
async fn say(
    home: &Path,
    request: Request,
    keep: impl FnOnce(&AgreedFiles) -> Result<(), Fault>,
) -> Result<Said, Failure> {
    match RemoteNode::connect(home).await {
        Ok(node) => return tell(&node, request).await,
        Err(fault) if fault.code == Code::NotRunning => {}
        Err(fault) => return Err(fault.into()),
    }
    let files = AgreedFiles::open(home)?;
    keep(&files)?;
    // A node that began to read before this was written must hear it, too.
    match Home::open(home)?.lock() {
        Ok(_) => Ok(Said { running: false, lending: kept(&files, &Zoned::now()) }),
        Err(fault) if fault.code == Code::Busy => tell(&chat::started(home).await?, request).await,
        Err(fault) => Err(fault.into()),
    }
}

async fn tell(node: &RemoteNode, request: Request) -> Result<Said, Failure> {
    node.call(request).await?;
    match node.call(Request::Status).await? {
        Response::Status(status) => Ok(Said { running: true, lending: Some(status.lending) }),
        _ => Err(Failure::new(1, "the node gave an answer that does not fit the question")),
    }
}

/// What the files alone already decide.
fn kept(files: &AgreedFiles, now: &Zoned) -> Option<LendingView> {
    let off = |reason: Reason| LendingView::Off { words: reason.to_string(), reason };
    let (effective, paused) = match (files.effective(), files.paused()) {
        (Ok(effective), Ok(paused)) => (effective, paused),
        (Err(fault), _) | (_, Err(fault)) => return Some(off(Reason::RulesBroken { why: fault.message })),
    };
    if !effective.enabled.value {
        let organisation = matches!(effective.enabled.source, Source::Policy | Source::Machine);
        return Some(off(if organisation { Reason::Organisation } else { Reason::NotAgreed }));
    }
    let now_ms = now.timestamp().as_millisecond().unsigned_abs();
    let until = paused?.until_unix_ms().map(|unix_ms| Until { unix_ms });
    let lasts = until.is_none_or(|until| until.unix_ms > now_ms);
    lasts.then(|| LendingView::Paused { until, words: Reason::Paused.to_string() })
}

fn show(said: &Said, json: bool, else_line: &str) -> Result<(), Failure> {
    if json {
        return output::json(said);
    }
    match &said.lending {
        Some(lending) => {
            // Off hides a pause, which is kept beneath it.
            if matches!(lending, LendingView::Off { .. }) {
                output::line(else_line)?;
            }
            output::line(&status::headline(lending, &Zoned::now()))?;
        }
        None => output::line(else_line)?,
    }
    if !said.running {
        eprintln!("The node is not running: this is kept for its next start (lull node run).");
    }
    Ok(())
}

/// How long to pause, as people write it.
fn pause(text: &str) -> Result<Pause, String> {
    match text.to_lowercase().as_str() {
        "tomorrow" => Ok(Pause::UntilTomorrow),
        "forever" => Ok(Pause::Forever),
        other => duration_s(other, PAUSE_MAX_S)
            .map(|seconds| Pause::For { seconds })
            .map_err(|why| format!("{why}; or say `tomorrow` or `forever`")),
    }
}

/// A number and its unit, or several of them, as seconds.
pub(crate) fn duration_s(text: &str, max_s: u64) -> Result<u64, String> {
    let fault = || format!("\"{text}\" is no duration: use a number and s, m, h or d, such as 12h or 1h30m");
    let (mut total, mut rest) = (0_u64, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|end| *end > 0).ok_or_else(fault)?;
        let number: u64 = rest[..digits].parse().map_err(|_| fault())?;
        let unit = rest[digits..].chars().next().ok_or_else(fault)?;
        let factor = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => DAY_S,
            _ => return Err(fault()),
        };
        total = total.saturating_add(number.saturating_mul(factor));
        rest = &rest[digits + unit.len_utf8()..];
    }
    match total {
        0 if text.is_empty() => Err(fault()),
        total if (1..=max_s).contains(&total) => Ok(total),
        _ => Err(format!("it must lie between 1s and {}d", max_s / DAY_S)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_read_as_people_write_them() {
        for (text, seconds) in
            [("1h", 3_600), ("30m", 1_800), ("2d", 172_800), ("1h30m", 5_400), ("90S", 90), ("366d", PAUSE_MAX_S)]
        {
            assert_eq!(pause(text), Ok(Pause::For { seconds }), "{text}");
        }
        assert_eq!((pause("tomorrow"), pause("Forever")), (Ok(Pause::UntilTomorrow), Ok(Pause::Forever)));
        for (text, why) in [
            ("soon", "\"soon\" is no duration"),
            ("1w", "\"1w\" is no duration"),
            ("0s", "between 1s and 366d"),
            ("367d", "between 1s and 366d"),
            ("99999999999999999d", "between 1s and 366d"),
        ] {
            let error = pause(text).unwrap_err();
            assert!(error.contains(why) && error.ends_with("or say `tomorrow` or `forever`"), "{error}");
        }
    }

    #[test]
    fn durations_need_a_unit_and_a_bound() {
        assert_eq!(duration_s("90s", 100), Ok(90));
        for text in ["", "h", "12", "-1h", "1w", "99999999999999999999d", "0s", "101s", "1ü", "1h 2m", "1.5h", "1hx"] {
            assert!(duration_s(text, 100).is_err(), "{text}");
        }
    }

    #[test]
    fn the_files_alone_tell_what_they_can() {
        let folder = tempfile::tempdir().unwrap();
        let files = AgreedFiles::open(folder.path()).unwrap();
        let now = Zoned::now();
        let now_ms = now.timestamp().as_millisecond().unsigned_abs();
        assert!(matches!(kept(&files, &now), Some(LendingView::Off { reason: Reason::NotAgreed, .. })));
        files.set_enabled(true).unwrap();
        assert_eq!(kept(&files, &now), None);
        files.pause(Paused::UntilUnixMs(now_ms + 1)).unwrap();
        let until = Some(Until { unix_ms: now_ms + 1 });
        assert_eq!(kept(&files, &now), Some(LendingView::Paused { until, words: "paused by you".into() }));
        files.pause(Paused::UntilUnixMs(now_ms)).unwrap();
        assert_eq!(kept(&files, &now), None, "a pause that is over");
        files.pause(Paused::Forever).unwrap();
        assert!(matches!(kept(&files, &now), Some(LendingView::Paused { until: None, .. })));
        std::fs::write(folder.path().join("settings.toml"), "broken").unwrap();
        assert!(matches!(kept(&files, &now), Some(LendingView::Off { reason: Reason::RulesBroken { .. }, .. })));
    }

    #[tokio::test]
    async fn without_a_node_the_word_is_kept_for_its_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path();
        let said = say(home, Request::Lend { on: true }, |files| files.set_enabled(true)).await.unwrap();
        assert!(!said.running && said.lending.is_none());
        pause_now(home, PauseArgs { time: Pause::Forever, finish: false, json: true }).await.unwrap();
        let files = AgreedFiles::open(home).unwrap();
        assert_eq!(files.paused().unwrap(), Some(Paused::Forever));
        resume(home, false).await.unwrap();
        assert_eq!(files.paused().unwrap(), None);
        lend(home, LendArgs { to: Switch::Off, json: false }).await.unwrap();
        assert!(!files.effective().unwrap().enabled.value);
    }
}
