//! `lull admin policy`: signing the organisation's rules and handing them out.

use std::{path::Path, time::Duration};

use jiff::tz::TimeZone;
use lull_relay::admin::{self, PolicyStanding, Pushed, Reach};

use crate::{args::AdminPolicy, output, output::Failure, policy::read_file, when};

pub(crate) fn run(dir: &Path, command: AdminPolicy) -> Result<(), Failure> {
    match command {
        AdminPolicy::Push { file, days, wait, json } => {
            let (name, text) = read_file(&file)?;
            let pushed = admin::policy_push(dir, &name, &text, days, Duration::from_secs(wait))?;
            if json {
                output::json(&pushed)?;
            } else {
                eprintln!("{}", told(&pushed));
            }
            match &pushed.reach {
                Some(reach) if !reach.faults.is_empty() => Err(Failure::new(1, "some machines cannot follow it")),
                _ => Ok(()),
            }
        }
        AdminPolicy::Show { json } => match admin::policy(dir)? {
            Some(standing) if json => output::json(&standing),
            Some(PolicyStanding { version, not_after_s, text, .. }) => {
                let until = when::past(not_after_s.saturating_mul(1_000), &TimeZone::system());
                eprintln!("Version {version}, until {until}:");
                output::line(text.trim_end())
            }
            None => Err(Failure::new(3, "there is no policy yet; sign one: lull admin --dir DIR policy push FILE")),
        },
    }
}

fn told(pushed: &Pushed) -> String {
    let Pushed { version, not_after_s, reach } = pushed;
    let until = when::past(not_after_s.saturating_mul(1_000), &TimeZone::system());
    let mut text = format!("Version {version} is signed and counts until {until}.\n");
    match reach {
        None => text.push_str("No relay runs from this folder; machines hear of it when one does."),
        Some(Reach { connected: 0, .. }) => text.push_str("No machine is connected; each hears of it when it comes."),
        Some(Reach { connected, following, faults, took_ms }) => {
            text.push_str(&format!(
                "{following} of {connected} connected machines follow it after {took_ms} ms (measured)."
            ));
            for (node, fault) in faults {
                text.push_str(&format!("\n{} cannot: {}", node.short(), fault.message));
            }
        }
    }
    text
}
