use std::collections::BTreeMap;

use lull_policy::Quota;

/// People and models whose use of a day is remembered one by one; what is more counts for one nameless person, so that
/// a quota of all together still holds.
const ENTRIES_MAX: usize = 262_144;

/// Whoever uses the pool, as quotas see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User<'a> {
    pub(super) name: &'a str,
    pub(super) groups: &'a [String],
}

/// A quota that has nothing left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exhausted {
    pub(super) quota: Quota,
    /// What is left of it, in tokens.
    pub(super) left: u64,
}

/// What was used today, and what is leased to runs that have not ended: a run takes its lease when it is taken on, and
/// gives back what it did not use when it is settled.
#[derive(Debug, Default)]
pub(super) struct Budget {
    day: u64,
    quotas: Vec<Quota>,
    /// Per quota and, where each person has their own, per person.
    used: BTreeMap<(usize, String), u64>,
    /// The day's use by person, their groups and model, from which `used` follows when the quotas change. Somebody can be
    /// in other groups at another machine, or later.
    book: BTreeMap<(String, Vec<String>, String), u64>,
}

impl Budget {
    /// A new day (UTC, counted from 1970) begins with nothing used. Leases of the day before are forgotten.
    pub(super) fn begin(&mut self, day: u64) {
        if day != self.day {
            self.day = day;
            self.used.clear();
            self.book.clear();
        }
    }

    pub(super) fn follow(&mut self, quotas: &[Quota]) {
        self.quotas = quotas.to_vec();
        self.used.clear();
        for ((name, groups, model), tokens) in &self.book {
            for key in keys(&self.quotas, &User { name, groups }, model) {
                *self.used.entry(key).or_default() += tokens;
            }
        }
    }

    /// Whether so many tokens more may be used.
    pub(super) fn check(&self, user: &User<'_>, model: &str, tokens: u64) -> Result<(), Exhausted> {
        for key in keys(&self.quotas, user, model) {
            let Some(quota) = self.quotas.get(key.0) else { continue };
            let left = quota.tokens_per_day.saturating_sub(self.used.get(&key).copied().unwrap_or(0));
            if left < tokens {
                return Err(Exhausted { quota: quota.clone(), left });
            }
        }
        Ok(())
    }

    /// Replaces what was counted before by what is known better. A lease of another day is not given back.
    pub(super) fn recount(&mut self, user: &User<'_>, model: &str, day: u64, before: u64, after: u64) {
        if day != self.day {
            return;
        }
        let change = |count: &mut u64| *count = count.saturating_sub(before).saturating_add(after);
        let full = self.book.len() >= ENTRIES_MAX;
        let named = (user.name.to_owned(), user.groups.to_vec(), model.to_owned());
        let nameless = (String::new(), Vec::new(), model.to_owned());
        let place = if full && !self.book.contains_key(&named) { nameless } else { named };
        change(self.book.entry(place).or_default());
        for key in keys(&self.quotas, user, model) {
            change(self.used.entry(key).or_default());
        }
    }

    pub(super) const fn day(&self) -> u64 {
        self.day
    }
}

/// The counters that somebody's use of a model goes to.
fn keys(quotas: &[Quota], user: &User<'_>, model: &str) -> Vec<(usize, String)> {
    let concerns = |quota: &Quota| {
        quota.model.as_deref().is_none_or(|of| of == model)
            && quota.user.as_deref().is_none_or(|of| of == user.name)
            && quota.group.as_ref().is_none_or(|of| user.groups.contains(of))
    };
    let key = |(place, quota): (usize, &Quota)| (place, if quota.each { user.name.to_owned() } else { String::new() });
    quotas.iter().enumerate().filter(|(_, quota)| concerns(quota)).map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(group: Option<&str>, user: Option<&str>, each: bool, tokens_per_day: u64) -> Quota {
        Quota { group: group.map(Into::into), user: user.map(Into::into), model: None, each, tokens_per_day }
    }

    #[test]
    fn a_quota_counts_whom_it_names() {
        let (groups, others) = (["interns".to_owned()], ["staff".to_owned()]);
        let anna = User { name: "anna", groups: &groups };
        let ben = User { name: "ben", groups: &groups };
        let carl = User { name: "carl", groups: &others };
        let mut budget = Budget::default();
        budget.begin(7);
        budget.follow(&[quota(Some("interns"), None, false, 100), quota(None, Some("carl"), false, 10)]);
        budget.recount(&anna, "m", 7, 0, 60);
        assert_eq!(budget.check(&ben, "m", 40), Ok(()));
        assert_eq!(budget.check(&ben, "m", 41).unwrap_err().left, 40);
        assert_eq!(budget.check(&carl, "m", 10), Ok(()));
        assert_eq!(budget.check(&carl, "m", 11).unwrap_err().quota.user.as_deref(), Some("carl"));
        // The lease was larger than what came of it.
        budget.recount(&anna, "m", 7, 60, 10);
        assert_eq!(budget.check(&ben, "m", 90), Ok(()));
        // Each for themselves, from now on and for what was used before.
        budget.follow(&[quota(Some("interns"), None, true, 50)]);
        assert_eq!(budget.check(&anna, "m", 41).unwrap_err().left, 40);
        assert_eq!(budget.check(&ben, "m", 50), Ok(()));
        budget.begin(8);
        assert_eq!(budget.check(&anna, "m", 50), Ok(()));
        budget.recount(&anna, "m", 7, 10, 0);
        assert_eq!(budget.check(&anna, "m", 50), Ok(()), "yesterday's lease gives nothing back today");
    }
}
