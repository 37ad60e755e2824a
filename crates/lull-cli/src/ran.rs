//! What ran here, for this machine's owner: shown, exported, erased.

use std::{
    io::{BufRead as _, IsTerminal as _},
    path::Path,
};

use jiff::tz::TimeZone;
use lull_node::{NodeApi as _, RAN_MAX, RAN_REPLY_MAX, RanLog, RemoteNode};
use lull_types::{Code, Fault, RanHere, Request, Response};

use crate::{output, output::Failure, when};

/// What ran on this machine: no content, and nobody's name.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
    Example: lull log --limit 10\n\
    Example: lull log --limit 100000 --csv > ran.csv\n\
    Example: lull log --erase\n\n\
    The energy is an estimate: {}.", RanHere::ENERGY_FORMULA))]
pub(crate) struct LogArgs {
    /// At most so many jobs, newest first
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(RAN_MAX)))]
    pub limit: u32,
    /// Print data for programs
    #[arg(long)]
    pub json: bool,
    /// Print a table for spreadsheets
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// Forget all of it
    #[arg(long, conflicts_with_all = ["json", "csv", "limit"])]
    pub erase: bool,
    /// Erase without asking
    #[arg(long, requires = "erase")]
    pub yes: bool,
}

pub(crate) async fn run(home: &Path, args: LogArgs) -> Result<(), Failure> {
    if args.erase {
        return erase(home, args.yes).await;
    }
    let jobs = newest(home, args.limit).await?;
    if args.json {
        return output::json(&jobs);
    }
    let zone = TimeZone::system();
    if args.csv {
        return output::text(&csv(&jobs, &zone)?);
    }
    if jobs.is_empty() {
        eprintln!("Nothing ran here yet.");
        return Ok(());
    }
    output::table(&table(&jobs, &zone))?;
    eprintln!("Energy is an estimate: {}.", RanHere::ENERGY_FORMULA);
    Ok(())
}

/// From the node, or from its file where none runs, or where there is more than one answer of the node can hold.
async fn newest(home: &Path, limit: u32) -> Result<Vec<RanHere>, Failure> {
    match node(home).await? {
        Some(node) if limit <= RAN_REPLY_MAX => match node.call(Request::Log { limit, before: None }).await? {
            Response::Log { jobs } => Ok(jobs),
            _ => Err(Failure::new(1, "the node gave an answer that does not fit the question")),
        },
        _ => Ok(RanLog::open(home)?.newest(limit).await?),
    }
}

/// The running node, if one runs.
async fn node(home: &Path) -> Result<Option<RemoteNode>, Failure> {
    match RemoteNode::connect(home).await {
        Ok(node) => Ok(Some(node)),
        Err(fault) if fault.code == Code::NotRunning => Ok(None),
        Err(fault) => Err(fault.into()),
    }
}

async fn erase(home: &Path, sure: bool) -> Result<(), Failure> {
    if !sure && !confirmed()? {
        eprintln!("Nothing is erased.");
        return Ok(());
    }
    match node(home).await? {
        Some(node) => drop(node.call(Request::EraseLog).await?),
        None => RanLog::open(home)?.erase().await?,
    }
    eprintln!("What ran here is erased.");
    Ok(())
}

/// Asks the person; only one who sits at a terminal can be asked.
fn confirmed() -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        let text = "erasing cannot be undone, and nobody is there to be asked; if you mean it: lull log --erase --yes";
        return Err(Fault::new(Code::BadRequest, text).into());
    }
    eprint!("Forget everything that ran here? This cannot be undone. [y/N] ");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(agrees(&answer))
}

fn agrees(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

fn table(jobs: &[RanHere], zone: &TimeZone) -> Vec<Vec<String>> {
    let headings = ["ENDED", "MODEL", "PROMPT TOKENS", "ANSWER TOKENS", "SECONDS", "ENERGY (ESTIMATED)", "OUTCOME"];
    let row = |job: &RanHere| {
        vec![
            when::past(job.ended_unix_ms, zone),
            job.model.clone(),
            job.prompt_tokens.to_string(),
            job.completion_tokens.to_string(),
            seconds(job.ran_ms),
            format!("{:.3} Wh", job.energy_wh),
            job.outcome.clone(),
        ]
    };
    std::iter::once(headings.map(String::from).to_vec()).chain(jobs.iter().map(row)).collect()
}

/// Tenths of a second, by whole numbers.
fn seconds(ms: u64) -> String {
    format!("{}.{}", ms / 1_000, ms % 1_000 / 100)
}

fn csv(jobs: &[RanHere], zone: &TimeZone) -> Result<String, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(1, format!("the table cannot be written: {error}"));
    let mut rows = csv::Writer::from_writer(Vec::new());
    let headings =
        ["id", "ended", "model", "prompt_tokens", "completion_tokens", "ran_ms", "energy_wh_estimated", "outcome"];
    rows.write_record(headings).map_err(|error| failed(&error))?;
    for job in jobs {
        let cells = [
            job.id.to_string(),
            when::exact(job.ended_unix_ms, zone),
            job.model.clone(),
            job.prompt_tokens.to_string(),
            job.completion_tokens.to_string(),
            job.ran_ms.to_string(),
            job.energy_wh.to_string(),
            job.outcome.clone(),
        ];
        rows.write_record(cells).map_err(|error| failed(&error))?;
    }
    let bytes = rows.into_inner().map_err(|error| failed(&error))?;
    String::from_utf8(bytes).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran() -> RanHere {
        RanHere {
            id: 3,
            ended_unix_ms: 1_795_000_000_000,
            model: "odd, \"name\"".into(),
            prompt_tokens: 7,
            completion_tokens: 9,
            ran_ms: 1_550,
            energy_wh: 0.25,
            outcome: "completed".into(),
        }
    }

    #[test]
    fn a_row_is_for_people() {
        let rows = table(&[ran()], &TimeZone::UTC);
        let expected = ["2026-11-18 11:06:40", "odd, \"name\"", "7", "9", "1.5", "0.250 Wh", "completed"];
        assert_eq!(rows[1], expected);
        assert_eq!(rows[0].len(), rows[1].len());
    }

    #[test]
    fn a_table_for_spreadsheets_keeps_its_columns() {
        let text = csv(&[ran()], &TimeZone::UTC).unwrap();
        let expected = "id,ended,model,prompt_tokens,completion_tokens,ran_ms,energy_wh_estimated,outcome\n\
                        3,2026-11-18T11:06:40+00:00,\"odd, \"\"name\"\"\",7,9,1550,0.25,completed\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn only_yes_is_yes() {
        assert!(agrees("y\n") && agrees(" YES\r\n"));
        for answer in ["", "\n", "n\n", "yep\n", "j\n"] {
            assert!(!agrees(answer), "{answer:?}");
        }
    }

    #[tokio::test]
    async fn the_log_is_there_without_a_node() {
        let folder = tempfile::tempdir().unwrap();
        let log = RanLog::open(folder.path()).unwrap();
        log.append(ran());
        log.flush().await;
        assert_eq!(newest(folder.path(), 9).await.unwrap(), [RanHere { id: 1, ..ran() }]);
        drop(log);
        erase(folder.path(), true).await.unwrap();
        assert_eq!(newest(folder.path(), 9).await.unwrap(), []);
    }
}
