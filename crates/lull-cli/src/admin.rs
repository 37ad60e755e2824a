use std::{collections::BTreeMap, path::Path};

use jiff::{ToSpan as _, civil};
use lull_relay::admin::{self, NodeView, TokenWish};
use lull_types::NodeId;

use crate::{
    args::{Admin, Token},
    output,
    output::Failure,
};

pub(crate) fn run(dir: &Path, command: Admin) -> Result<(), Failure> {
    match command {
        Admin::Token(Token::Create { groups, uses, ttl, machines, user }) => {
            let wish = TokenWish { groups, uses, ttl_s: ttl, machines, user: user.unwrap_or_default() };
            let token = admin::token_create(dir, &wish)?;
            let machines = if uses == 1 { "one machine".into() } else { format!("{uses} machines") };
            eprintln!("For {machines}, within {}. Keep it secret until it is used:", span(ttl));
            output::line(&token.to_string())
        }
        Admin::Nodes { json } => nodes(dir, json),
        Admin::Revoke { node } => {
            let cut = admin::revoke(dir, &node)?;
            let live =
                if cut.live { ", and its connections are closed" } else { "; no relay runs that would have to know" };
            eprintln!("{} is revoked{live}.", cut.row.name);
            Ok(())
        }
        Admin::Release { node } => {
            let row = admin::release(dir, &node)?;
            eprintln!("{} is out of quarantine: it gets jobs again.", row.name);
            Ok(())
        }
        Admin::Usage { json } => usage(dir, json),
        Admin::Policy(command) => crate::admin_policy::run(dir, command),
        Admin::Audit { since, json } => crate::audit::run(dir, since.as_deref(), json),
    }
}

fn nodes(dir: &Path, json: bool) -> Result<(), Failure> {
    let rows = admin::nodes(dir)?;
    if json {
        return output::json(&rows);
    }
    let mut table = vec![["NAME", "ID", "GROUPS", "STATE", "VERSION"].map(String::from).to_vec()];
    for NodeView { row, connected } in &rows {
        let state = match (row.revoked_s, connected) {
            (Some(_), _) => "revoked",
            _ if row.quarantined.is_some() => "quarantined",
            (None, Some(true)) => "connected",
            (None, Some(false)) => "away",
            (None, None) => "unknown: no relay answers",
        };
        let cells = [&row.name, &row.node.to_string(), &row.groups.join(","), state, &row.version];
        table.push(cells.map(String::from).to_vec());
    }
    output::table(&table)?;
    for NodeView { row, .. } in &rows {
        if let Some(why) = &row.quarantined {
            eprintln!(
                "{} is quarantined: {why}. Let it back: lull admin --dir DIR release {}",
                row.name,
                row.node.short()
            );
        }
    }
    Ok(())
}

fn usage(dir: &Path, json: bool) -> Result<(), Failure> {
    let rows = admin::usage(dir)?;
    if json {
        return output::json(&rows);
    }
    let names: BTreeMap<_, _> = admin::nodes(dir)?.into_iter().map(|view| (view.row.node, view.row.name)).collect();
    let headings = ["DAY (UTC)", "MACHINE", "ROLE", "TEAM", "MODEL", "JOBS", "PROMPT TOKENS", "ANSWER TOKENS"];
    let mut table = vec![headings.map(String::from).to_vec()];
    for row in &rows {
        table.push(vec![
            date(row.day),
            names.get(&row.node).cloned().unwrap_or_else(|| row.node.short()),
            row.role.clone(),
            if row.team.parse::<NodeId>().is_ok() { "-".into() } else { row.team.clone() },
            row.model.clone(),
            row.jobs.to_string(),
            row.prompt_tokens.to_string(),
            row.completion_tokens.to_string(),
        ]);
    }
    output::table(&table)
}

/// A day counted from 1970-01-01, as a date.
fn date(day: u64) -> String {
    let day = i32::try_from(day).ok().and_then(|day| civil::date(1970, 1, 1).checked_add(day.days()).ok());
    day.map_or_else(|| "-".into(), |day| day.to_string())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        assert_eq!(
            (date(0).as_str(), date(20_775).as_str(), date(u64::MAX).as_str()),
            ("1970-01-01", "2026-11-18", "-")
        );
    }
}
