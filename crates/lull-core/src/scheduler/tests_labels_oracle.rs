//! Who may ask what of whom, said a second time: from the words of `lull_policy::OrgRules` alone, as sets of names. It
//! calls nothing of what it judges.

use lull_policy::{Denied, LabelRule, Login, ModelRules, Names, OrgRules, Quota};
use lull_types::{Label, ModelHash, Tier};

use super::simulation::Dice;

/// Groups that machines and rules are of.
pub(super) const GROUPS: u64 = 8;
/// Names of models.
pub(super) const MODELS: u64 = 5;
/// Different bytes that a name can stand for.
pub(super) const BYTES: u64 = 3;

/// Every way in which a rule can say no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum No {
    Label,
    Login,
    User,
    Asker,
    Name,
    Bytes,
    Lender,
    Site,
    Tier,
    Dedicated,
}

impl No {
    /// What a sentence of the real decision means here.
    pub(super) fn of(denied: &Denied) -> Self {
        match denied {
            Denied::LabelUnknown(..) => Self::Label,
            Denied::Login => Self::Login,
            Denied::User(_) => Self::User,
            Denied::Asker { .. } => Self::Asker,
            Denied::Lender { .. } => Self::Lender,
            Denied::Site { .. } => Self::Site,
            Denied::Tier(..) => Self::Tier,
            Denied::Dedicated(_) => Self::Dedicated,
            Denied::Model(..) => Self::Name,
            Denied::Bytes(_) => Self::Bytes,
        }
    }
}

fn in_one_of(listed: &Names, groups: &[String]) -> bool {
    listed.iter().any(|name| groups.iter().filter(|group| *group == name).count() > 0)
}

fn exists(rules: &OrgRules, label: &Label) -> bool {
    ["public", "internal", "confidential"].contains(&label.as_str())
        || rules.labels.keys().any(|known| known.as_str() == label.as_str())
}

/// All that keeps somebody in these groups from asking.
pub(super) fn asking(rules: &OrgRules, label: &Label, model: &str, groups: &[String], logged_in: bool) -> Vec<No> {
    let mut no = Vec::new();
    if !exists(rules, label) {
        no.push(No::Label);
    }
    if let Some(login) = &rules.login
        && login.required
        && !logged_in
    {
        no.push(No::Login);
    }
    if let Some(users) = &rules.users
        && !in_one_of(users, groups)
    {
        no.push(No::User);
    }
    if let Some(LabelRule { askers: Some(askers), .. }) = rules.labels.get(label)
        && !in_one_of(askers, groups)
    {
        no.push(No::Asker);
    }
    if let Some(allow) = &rules.models.allow
        && !allow.iter().any(|name| name == model)
    {
        no.push(No::Name);
    }
    no
}

/// All that keeps a machine in these groups from seeing a job.
pub(super) fn lending(rules: &OrgRules, label: &Label, groups: &[String]) -> Vec<No> {
    let mut no = Vec::new();
    if !exists(rules, label) {
        no.push(No::Label);
    }
    let Some(rule) = rules.labels.get(label) else { return no };
    if let Some(lenders) = &rule.lenders
        && !in_one_of(lenders, groups)
    {
        no.push(No::Lender);
    }
    if let Some(sites) = &rule.sites {
        // At exactly one site, and that one is listed.
        let at: Vec<&String> =
            rules.sites.iter().filter(|(_, of)| in_one_of(of, groups)).map(|(site, _)| site).collect();
        if at.len() != 1 || !sites.contains(at[0]) {
            no.push(No::Site);
        }
    }
    no
}

/// All that keeps this very machine from seeing a job, whatever its groups.
pub(super) fn hosting(rules: &OrgRules, label: &Label, tier: Option<Tier>, dedicated: bool) -> Vec<No> {
    let rank = |tier: Option<Tier>| match tier {
        None => 0,
        Some(Tier::Basic) => 1,
        Some(Tier::Full) => 2,
    };
    let mut no = Vec::new();
    let Some(rule) = rules.labels.get(label) else { return no };
    if rank(tier) < rank(rule.tier) {
        no.push(No::Tier);
    }
    if !dedicated && rule.dedicated.unwrap_or(false) {
        no.push(No::Dedicated);
    }
    no
}

/// All that keeps these bytes from being used under this name.
pub(super) fn running(rules: &OrgRules, model: &str, hash: ModelHash) -> Vec<No> {
    let mut no = Vec::new();
    if let Some(allow) = &rules.models.allow
        && !allow.iter().any(|name| name == model)
    {
        no.push(No::Name);
    }
    if rules.models.bytes.iter().any(|(name, pinned)| name == model && pinned.0 != hash.0) {
        no.push(No::Bytes);
    }
    no
}

pub(super) fn group(n: u64) -> String {
    format!("g{n}")
}

pub(super) fn model(n: u64) -> String {
    format!("model-{n}")
}

/// Bytes number `n` of a model: no two models share any.
pub(super) fn bytes(model: u64, n: u64) -> ModelHash {
    ModelHash([(model * BYTES + n) as u8 + 1; 32])
}

/// A label that a job may have: built in, the organisation's own, or one that no policy ever names.
pub(super) fn label(dice: &mut Dice) -> Label {
    let all = ["internal", "public", "confidential", "own-0", "own-1", "own-2"];
    if dice.roll(60) == 0 { "made-up".parse().unwrap() } else { all[dice.roll(6) as usize].parse().unwrap() }
}

/// Some groups for a machine; seldom none.
pub(super) fn groups(dice: &mut Dice) -> Vec<String> {
    let mut groups: Vec<String> = (0..dice.roll(4)).map(|_| group(dice.roll(GROUPS))).collect();
    groups.dedup();
    groups
}

pub(super) fn tier(dice: &mut Dice) -> Option<Tier> {
    [None, Some(Tier::Basic), Some(Tier::Full), Some(Tier::Full)][dice.roll(4) as usize]
}

/// Random rules: loose enough that most jobs run somewhere, tight enough that most machines may not run all.
pub(super) fn rules(dice: &mut Dice) -> OrgRules {
    let mut rules = OrgRules::default();
    for text in ["public", "internal", "confidential"] {
        if dice.roll(3) > 0 {
            rules.labels.insert(text.parse().unwrap(), label_rule(dice));
        }
    }
    for n in 0..3 {
        if dice.roll(8) > 0 {
            rules.labels.insert(format!("own-{n}").parse().unwrap(), label_rule(dice));
        }
    }
    for n in 0..dice.roll(4) {
        rules.sites.insert(format!("site-{n}"), some_groups(dice, 3));
    }
    rules.models = ModelRules {
        allow: (dice.roll(4) == 0).then(|| (0..5).map(|_| model(dice.roll(MODELS))).collect()),
        bytes: (0..MODELS)
            .filter(|_| dice.roll(4) == 0)
            .collect::<Vec<_>>()
            .into_iter()
            .map(|n| (model(n), bytes(n, dice.roll(BYTES))))
            .collect(),
    };
    rules.users = (dice.roll(7) == 0).then(|| some_groups(dice, 8));
    rules.quotas = (0..dice.roll(3)).map(|_| quota(dice)).collect();
    rules.login = (dice.roll(6) == 0).then(|| Login {
        issuer: "https://login.example".into(),
        client: "lull".into(),
        groups_claim: Login::GROUPS_CLAIM.into(),
        user_claim: Login::USER_CLAIM.into(),
        scopes: Login::usual_scopes(),
        required: dice.roll(2) == 0,
    });
    rules
}

fn label_rule(dice: &mut Dice) -> LabelRule {
    LabelRule {
        lenders: (dice.roll(3) == 0).then(|| some_groups(dice, 5)),
        askers: (dice.roll(5) == 0).then(|| some_groups(dice, 7)),
        sites: (dice.roll(6) == 0).then(|| (0..2).map(|_| format!("site-{}", dice.roll(4))).collect()),
        tier: [None, None, Some(Tier::Basic), Some(Tier::Full)][dice.roll(4) as usize],
        dedicated: [None, None, None, Some(false), Some(true)][dice.roll(5) as usize],
    }
}

/// Up to so many groups; now and then none, which is nobody.
fn some_groups(dice: &mut Dice, at_most: u64) -> Names {
    (0..dice.roll(at_most + 1)).map(|_| group(dice.roll(GROUPS))).collect()
}

/// A quota that many a day reaches.
pub(super) fn quota(dice: &mut Dice) -> Quota {
    Quota {
        group: (dice.roll(3) == 0).then(|| group(dice.roll(GROUPS))),
        user: (dice.roll(4) == 0).then(|| format!("user-{}", dice.roll(6))),
        model: (dice.roll(3) == 0).then(|| model(dice.roll(MODELS))),
        each: dice.roll(2) == 0,
        tokens_per_day: 5_000 + dice.roll(100_000),
    }
}
