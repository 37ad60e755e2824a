//! The rules as the files alone have them, where no node runs that could be asked.

use lull_types::RulesView;

use crate::{AgreedFiles, agreed::Agreed};

impl AgreedFiles {
    /// Every rule as it counts by these files. Where not all of them can be followed, `broken` says why, nothing is lent,
    /// and the rules are what is known of the organisation's.
    #[must_use]
    pub fn rules(&self) -> RulesView {
        let Agreed { policy, readable, rules, paused, .. } = self.read();
        self.view(&readable, policy.unwrap_or_default(), rules.err().or(paused.err()).as_ref())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use lull_types::RuleValue;

    use super::*;
    use crate::Home;

    #[test]
    fn files_that_cannot_be_followed_leave_lulls_own_rules_and_a_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let machine = folder.path().join("policy.toml");
        let home = Home::open(&folder.path().join("home")).unwrap();
        let files = AgreedFiles::new(home.clone(), Some(machine.clone()));
        let settings = home.path().join("settings.toml");
        fs::write(&settings, "[lend]\nenabled = true\n").unwrap();
        let rules = files.rules();
        assert_eq!((rules.broken, rules.machine_file), (None, None));
        assert_eq!(rules.rules[0].value, RuleValue::Switch(true));
        for (broken, line) in [(&machine, "policy.toml:1:"), (&settings, "settings.toml:1:")] {
            let kept = fs::read(broken).ok();
            fs::write(broken, "lend = 1").unwrap();
            let rules = files.rules();
            assert!(rules.broken.is_some_and(|why| why.contains(line)));
            assert_eq!(rules.rules[0].value, RuleValue::Switch(false), "nothing is lent");
            fs::write(broken, kept.unwrap_or_default()).unwrap();
        }
        fs::write(home.path().join("pause.json"), "?").unwrap();
        let rules = files.rules();
        assert!(rules.broken.is_some_and(|why| why.contains("`lull resume`")));
        assert_eq!(rules.rules[0].value, RuleValue::Switch(true), "the rules themselves can be followed");
    }
}
