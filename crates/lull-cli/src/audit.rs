//! `lull admin audit`: who did what.

use std::path::Path;

use jiff::tz::TimeZone;
use lull_relay::admin::{self, Audit, AuditRow, Deed};

use crate::{output, output::Failure, when};

pub(crate) fn run(dir: &Path, since: Option<&str>, json: bool) -> Result<(), Failure> {
    let mut audit = admin::audit(dir)?;
    let head = audit.entries.last().map(|entry| entry.hash.clone());
    if let Some(hash) = since {
        audit.entries = after(audit.entries, hash)?;
    }
    if json {
        output::json(&audit)?;
    } else {
        output::table(&table(&audit))?;
    }
    if let Some(number) = audit.broken_at {
        let text = format!(
            "the log does not hold together from entry {number} on: somebody changed it; restore a backup of the \
             relay's folder, and find out who had access"
        );
        return Err(Failure::new(1, text));
    }
    if let Some(hash) = head {
        eprintln!("It holds together. Its newest hash, to note elsewhere: {hash}");
    }
    Ok(())
}

/// What came after the entry with this hash.
fn after(entries: Vec<AuditRow>, hash: &str) -> Result<Vec<AuditRow>, Failure> {
    let hash = hash.trim().to_ascii_lowercase();
    let Some(place) = entries.iter().position(|entry| entry.hash == hash) else {
        let text = format!(
            "the log holds no entry with the hash {hash}: it was cut or written anew since that was noted, or the hash \
             is another organisation's"
        );
        return Err(Failure::new(1, text));
    };
    Ok(entries.into_iter().skip(place + 1).collect())
}

fn table(audit: &Audit) -> Vec<Vec<String>> {
    let headings = ["NUMBER", "WHEN", "WHO", "WHAT"].map(String::from).to_vec();
    let zone = TimeZone::system();
    let row = |entry: &AuditRow| {
        let AuditRow { number, at_s, by, deed, .. } = entry;
        vec![number.to_string(), when::past(at_s.saturating_mul(1_000), &zone), by.clone(), told(deed, &zone)]
    };
    std::iter::once(headings).chain(audit.entries.iter().map(row)).collect()
}

fn told(deed: &Deed, zone: &TimeZone) -> String {
    let of = |groups: &[String]| if groups.is_empty() { "no group".into() } else { groups.join(", ") };
    match deed {
        Deed::RelayStarted { version } => format!("started the relay, version {version}"),
        Deed::TokenCreated { invitation, groups, uses, not_after_s } => format!(
            "made token {invitation} for {uses} machines in {}, until {}",
            of(groups),
            when::past(not_after_s.saturating_mul(1_000), zone)
        ),
        Deed::Joined { name, groups, invitation, .. } => {
            format!("joined as {name} in {}, with token {invitation}", of(groups))
        }
        Deed::PolicyPushed { version, not_after_s, sha256 } => format!(
            "signed policy version {version}, until {}, with SHA-256 {sha256}",
            when::past(not_after_s.saturating_mul(1_000), zone)
        ),
        Deed::Quarantined { node, why } => format!("quarantined {node}: {why}"),
        Deed::Released { node } => format!("released {node} from quarantine"),
        Deed::LoggedIn { node, user } => format!("{user} logged in at {node}"),
        Deed::Revoked { node, name } => format!("revoked {name} ({node})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: u64) -> AuditRow {
        let deed = Deed::Joined {
            node: "0a".repeat(16).parse().unwrap(),
            name: "desk".into(),
            groups: vec![],
            invitation: "ff".into(),
        };
        AuditRow { number, at_s: 1_700_000_000 + number, by: "node 0a".into(), deed, hash: format!("{number:064x}") }
    }

    #[test]
    fn only_what_came_after_a_noted_hash_is_shown() {
        let rows = vec![row(1), row(2), row(3)];
        let noted = format!(" {:064X}\n", 2);
        assert_eq!(after(rows.clone(), &noted).unwrap(), [row(3)]);
        assert!(after(rows.clone(), &format!("{:064x}", 3)).unwrap().is_empty());
        assert!(format!("{:?}", after(rows, "00").unwrap_err()).contains("cut or written anew"));
    }

    #[test]
    fn a_line_says_who_did_what() {
        let audit = Audit { entries: vec![row(7)], broken_at: None };
        assert_eq!(table(&audit)[1][2..], ["node 0a", "joined as desk in no group, with token ff"]);
    }
}
