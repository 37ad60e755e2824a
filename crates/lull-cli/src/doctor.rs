use std::path::Path;

use lull_node::NodeOptions;
use lull_types::{Finding, Health};

use crate::{output, output::Failure};

pub(crate) async fn run(home: &Path, json: bool) -> Result<(), Failure> {
    let findings = lull_node::examine(home, &NodeOptions::default()).await;
    if json {
        output::json(&findings)?;
    } else {
        output::table(&findings.iter().map(row).collect::<Vec<_>>())?;
    }
    let broken = findings.iter().filter(|finding| finding.health == Health::Broken).count();
    match broken {
        0 => Ok(()),
        1 => Err(Failure::new(1, "1 thing is broken")),
        more => Err(Failure::new(1, format!("{more} things are broken"))),
    }
}

fn row(finding: &Finding) -> Vec<String> {
    let health = match finding.health {
        Health::Good => "good",
        Health::Attention => "attention",
        Health::Broken => "broken",
    };
    let remedy = finding.remedy.as_ref().map(|remedy| format!(" -> {remedy}")).unwrap_or_default();
    vec![health.into(), finding.check.clone(), format!("{}{remedy}", finding.found)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_it_is_and_what_to_do() {
        let finding = |health, remedy: Option<&str>| Finding {
            check: "swap".into(),
            health,
            found: "none".into(),
            remedy: remedy.map(Into::into),
        };
        assert_eq!(row(&finding(Health::Good, None)), ["good", "swap", "none"]);
        assert_eq!(row(&finding(Health::Broken, Some("mend it"))), ["broken", "swap", "none -> mend it"]);
    }

    #[tokio::test]
    async fn a_machine_that_never_joined_is_told_how() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("none");
        let failure = run(&home, true).await.unwrap_err();
        assert!(format!("{failure:?}").contains("broken"), "{failure:?}");
        assert!(!home.exists(), "looking changes nothing");
        let findings = lull_node::examine(&home, &NodeOptions::default()).await;
        let enrolled = findings.iter().find(|finding| finding.check == "enrolled").unwrap();
        assert!(
            enrolled.remedy.as_ref().is_some_and(|remedy| remedy.contains("lull node enroll TOKEN")),
            "{findings:?}"
        );
    }
}
