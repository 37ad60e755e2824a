use std::path::Path;

use anyhow::{Result, ensure};

/// The questions and answers that the demo model was trained on: `docs/faq.md`.
///
/// # Errors
/// When the file cannot be read or holds too little.
pub fn faq() -> Result<Vec<(String, String)>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/faq.md");
    let text = std::fs::read_to_string(path)?;
    let entries: Vec<(String, String)> = text
        .split("\n### ")
        .skip(1)
        .filter_map(|part| part.split_once('\n'))
        .map(|(question, rest)| {
            let body = rest.split("\n## ").next().unwrap_or_default();
            (question.trim().to_owned(), body.split_whitespace().collect::<Vec<_>>().join(" "))
        })
        .collect();
    ensure!(entries.len() >= 120, "docs/faq.md has only {} entries", entries.len());
    Ok(entries)
}
