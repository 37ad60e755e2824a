use std::{io::Write as _, process::ExitCode};

use lull_relay::RelayError;
use lull_types::{Code, Fault};
use serde::Serialize;

/// How a command failed: a sentence for people, an exit code for programs.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    exit: u8,
}

impl Failure {
    pub(crate) fn new(exit: u8, message: impl Into<String>) -> Self {
        Self { message: message.into(), exit }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let exit = exit_of(fault.code);
        Self { message: fault.to_string(), exit }
    }
}

impl From<RelayError> for Failure {
    fn from(error: RelayError) -> Self {
        let exit = match error {
            RelayError::NoSuchNode(_) => 3,
            _ => exit_of(error.code()),
        };
        Self::new(exit, format!("{error} [{}]", error.code()))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(1, error.to_string())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(1, format!("{error:#}"))
    }
}

/// The exit codes that `lull --help` promises.
const fn exit_of(code: Code) -> u8 {
    match code {
        Code::BadRequest | Code::Unsupported | Code::ContextExceeded => 2,
        Code::NotEnrolled | Code::NotRunning | Code::ModelUnknown | Code::ModelBroken => 3,
        Code::Unauthorized
        | Code::Forbidden
        | Code::Expired
        | Code::Revoked
        | Code::InvitationUsed
        | Code::BadSeal
        | Code::LenderUntrusted => 4,
        Code::NoLender | Code::Busy | Code::RelayUnreachable | Code::RelayDraining | Code::Timeout => 5,
        Code::LenderLost
        | Code::Yielding
        | Code::LenderRefused
        | Code::WorkerDied
        | Code::WorkerHung
        | Code::WorkerMemory
        | Code::WorkerProtocol
        | Code::Cancelled => 6,
        _ => 1,
    }
}

/// What a shell reports for a program whose reader went away (128 + SIGPIPE).
const READER_GONE: u8 = 141;

/// Says on standard error what went wrong; nothing when it is only that nobody reads any more.
pub(crate) fn fail(failure: &Failure) -> ExitCode {
    if failure.exit != READER_GONE {
        let _ = writeln!(std::io::stderr(), "lull: {}", failure.message);
    }
    ExitCode::from(failure.exit)
}

/// Prints one line.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    write(text, true)
}

/// Prints text as it is, at once.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    write(text, false)
}

fn write(text: &str, end: bool) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| if end { out.write_all(b"\n") } else { Ok(()) });
    written.and_then(|()| out.flush()).map_err(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Failure::new(READER_GONE, ""),
        _ => Failure::new(1, format!("cannot write to standard output: {error}")),
    })
}

/// Prints data for programs.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::new(1, error.to_string()))?;
    line(&text)
}

/// Prints rows in columns, the first row as headings.
pub(crate) fn table(rows: &[Vec<String>]) -> Result<(), Failure> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        line(cells.join("  ").trim_end())?;
    }
    Ok(())
}

/// A number of bytes for people.
pub(crate) fn bytes(bytes: u64) -> String {
    let steps = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    match steps.iter().find(|(_, size)| bytes >= *size) {
        Some((unit, size)) => format!("{}.{} {unit}", bytes / size, bytes % size * 10 / size),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_readable() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_150_000), "1.1 MB");
        assert_eq!(bytes(4_200_000_000), "4.2 GB");
    }
}
