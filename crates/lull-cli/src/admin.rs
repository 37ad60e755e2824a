use std::path::Path;

use lull_relay::admin;

use crate::{
    args::{Admin, Token},
    output,
    output::Failure,
};

pub(crate) fn run(dir: &Path, command: Admin) -> Result<(), Failure> {
    match command {
        Admin::Token(Token::Create { groups, uses, ttl }) => {
            let token = admin::token_create(dir, &groups, uses, ttl).map_err(failure)?;
            let machines = if uses == 1 { "one machine".into() } else { format!("{uses} machines") };
            eprintln!("For {machines}, within {}. Keep it secret until it is used:", span(ttl));
            output::line(&token.to_string())
        }
        Admin::Nodes { json } => nodes(dir, json),
        Admin::Revoke { node } => {
            let cut = admin::revoke(dir, node).map_err(failure)?;
            eprintln!("{} is revoked{}.", cut.name, if cut.live { " and was cut off" } else { "" });
            Ok(())
        }
        Admin::Usage { json } => usage(dir, json),
    }
}

fn nodes(dir: &Path, json: bool) -> Result<(), Failure> {
    let rows = admin::nodes(dir).map_err(failure)?;
    if json {
        return output::json(&rows);
    }
    let mut table = vec![["NAME", "ID", "GROUPS", "STATE"].map(String::from).to_vec()];
    for row in &rows {
        let state = if row.revoked { "revoked" } else { "enrolled" };
        table.push(vec![row.name.clone(), row.node.to_string(), row.groups.join(","), state.into()]);
    }
    output::table(&table)
}

fn usage(dir: &Path, json: bool) -> Result<(), Failure> {
    let rows = admin::usage(dir).map_err(failure)?;
    if json {
        return output::json(&rows);
    }
    let headings = ["DAY", "ASKED BY", "MODEL", "JOBS", "PROMPT TOKENS", "ANSWER TOKENS"];
    let mut table = vec![headings.map(String::from).to_vec()];
    for row in &rows {
        table.push(vec![
            row.day.clone(),
            row.name.clone(),
            row.model.clone(),
            row.jobs.to_string(),
            row.prompt_tokens.to_string(),
            row.completion_tokens.to_string(),
        ]);
    }
    output::table(&table)
}

fn failure(error: impl Into<lull_types::Fault>) -> Failure {
    error.into().into()
}

/// A span of time for people.
fn span(seconds: u64) -> String {
    match seconds {
        s if s % 86_400 == 0 => format!("{} d", s / 86_400),
        s if s % 3_600 == 0 => format!("{} h", s / 3_600),
        s if s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}
