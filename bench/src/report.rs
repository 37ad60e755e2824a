use std::{fmt::Write as _, path::Path};

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::machine;

/// A bench's result.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    name: &'static str,
    machine: String,
    commit: String,
    pub(crate) rows: Vec<Row>,
    /// What a reader must know to judge the numbers.
    pub(crate) notes: Vec<String>,
}

/// One measured number.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) metric: String,
    /// Of which of our variants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) engine: Option<String>,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// Who did the same beside us.
    pub(crate) peer: Option<&'static str>,
    pub(crate) peer_value: Option<f64>,
    /// Ours by the peer's; the median over rounds, each with both in it.
    pub(crate) ratio: Option<f64>,
    /// What physics allows on this machine, in the same unit.
    pub(crate) limit: Option<f64>,
}

impl Report {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, machine: machine::describe(), commit: machine::commit(), rows: Vec::new(), notes: Vec::new() }
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let mut lines =
            vec![["metric", "engine", "value", "unit", "peer", "peer value", "ratio", "limit"].map(String::from)];
        let number = |value: Option<f64>| value.map_or_else(|| "-".into(), short);
        lines.extend(self.rows.iter().map(|row| {
            [
                row.metric.clone(),
                row.engine.clone().unwrap_or_else(|| "-".into()),
                short(row.value),
                row.unit.into(),
                row.peer.unwrap_or("-").into(),
                number(row.peer_value),
                row.ratio.map_or_else(|| "-".into(), |ratio| format!("{ratio:.3}")),
                number(row.limit),
            ]
        }));
        let widths: Vec<usize> = (0..lines[0].len())
            .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
            .collect();
        let mut text = format!("bench {} on {} at {}\n", self.name, self.machine, self.commit);
        for line in lines {
            for (cell, width) in line.iter().zip(&widths) {
                let _ = write!(text, "{cell:<width$}  ");
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        self.notes.iter().for_each(|note| {
            let _ = writeln!(text, "note: {note}");
        });
        text
    }

    /// For programs.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let json = serde_json::to_vec_pretty(self)?;
        std::fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))
    }
}

fn short(value: f64) -> String {
    match value.abs() {
        1000.0.. => format!("{value:.0}"),
        100.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
