//! How every rule is called and what it does: the same words on the command line, in the window and in the manual.

use crate::{Lang, catalogue};

/// Each rule, and how the catalogue calls its title; what it does is there under the same name with `_help`. `NAME`
/// stands for what an organisation calls it.
pub const RULE_WORDS: [(&str, &str); 37] = [
    ("lend.enabled", "set_enabled"),
    ("lend.idle_minutes", "set_idle"),
    ("lend.on_battery", "set_battery"),
    ("lend.metered", "set_metered"),
    ("lend.hours", "set_hours"),
    ("lend.max_celsius", "set_celsius"),
    ("lend.other_cores", "set_cores"),
    ("lend.calls", "set_calls"),
    ("lend.films", "set_films"),
    ("lend.full_screen", "set_full_screen"),
    ("lend.remote", "set_remote"),
    ("lend.apps", "set_apps"),
    ("lend.threads", "set_threads"),
    ("lend.memory_percent", "set_memory"),
    ("lend.disk_gib", "set_disk"),
    ("lend.watts_per_thread", "set_watts"),
    ("sandbox.tier", "set_tier"),
    ("labels.NAME", "org_label"),
    ("labels.NAME.lenders", "org_label_lenders"),
    ("labels.NAME.askers", "org_label_askers"),
    ("labels.NAME.sites", "org_label_sites"),
    ("labels.NAME.tier", "org_label_tier"),
    ("labels.NAME.dedicated", "org_label_dedicated"),
    ("sites.NAME", "org_site"),
    ("models.allow", "org_models_allow"),
    ("models.bytes.NAME", "org_models_bytes"),
    ("use.groups", "org_use"),
    ("quotas.NAME", "org_quota"),
    ("login.issuer", "org_login_issuer"),
    ("login.client", "org_login_client"),
    ("login.groups_claim", "org_login_groups"),
    ("login.user_claim", "org_login_user"),
    ("login.scopes", "org_login_scopes"),
    ("login.required", "org_login_required"),
    ("checks.by", "org_checks_by"),
    ("checks.per_thousand_jobs", "org_checks_share"),
    ("checks.per_hour", "org_checks_pace"),
];

/// How the catalogue calls a rule's title: `labels.confidential.lenders` is called as `labels.NAME.lenders` is.
#[must_use]
pub fn rule_word(key: &str) -> Option<&'static str> {
    RULE_WORDS.iter().find(|(pattern, _)| is(key, pattern)).map(|(_, word)| *word)
}

/// A rule's title and what it does.
#[must_use]
pub fn rule_meaning(key: &str, lang: Lang) -> Option<(&'static str, &'static str)> {
    let word = rule_word(key)?;
    let words = catalogue(lang);
    Some((words.get(word)?, words.get(format!("{word}_help").as_str())?))
}

/// A model's name may have dots, no other part of a key does.
fn is(key: &str, pattern: &str) -> bool {
    match pattern.split_once("NAME") {
        None => key == pattern,
        Some((before, after)) => key
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after))
            .is_some_and(|name| !name.is_empty() && (before == "models.bytes." || !name.contains('.'))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_words_in_every_language() {
        for (key, _) in RULE_WORDS {
            for lang in Lang::ALL {
                assert!(
                    rule_meaning(key, lang).is_some_and(|(title, help)| title.len() > 2 && help.len() > 12),
                    "{key}"
                );
            }
        }
    }

    #[test]
    fn a_rule_is_found_by_its_whole_key() {
        assert_eq!(rule_word("labels.confidential.lenders"), Some("org_label_lenders"));
        assert_eq!(rule_word("models.bytes.llama-3.1-8b"), Some("org_models_bytes"));
        assert_eq!(rule_word("sites.berlin"), Some("org_site"));
        for none in ["labels..lenders", "labels.a.b.lenders", "labels.a.b", "sites.", "lend", ""] {
            assert_eq!(rule_word(none), None, "{none}");
        }
    }
}
