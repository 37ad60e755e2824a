//! What an organisation decides beyond one machine's limits: who may ask what of whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use lull_types::{Label, ModelHash, Tier};
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, Value};

/// The most labels of its own that an organisation may have.
pub(crate) const LABELS_MAX: usize = 32;
/// The most groups, sites or names in one list.
pub(crate) const NAMES_MAX: usize = 256;
/// The longest name of a group, site, user or model, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 128;
/// The most quotas.
pub(crate) const QUOTAS_MAX: usize = 256;
/// The most checks for each thousand jobs of a lender: every job.
pub(crate) const CHECKS_PER_THOUSAND_MAX: u16 = 1_000;
/// The most checks in an hour, over all lenders.
pub(crate) const CHECKS_PER_HOUR_MAX: u32 = 100_000;

/// A set of groups (or sites, or models); none of them: nobody.
pub type Names = BTreeSet<String>;

/// The tables of a policy that are about the organisation, not about one machine's limits. What a table does not say
/// is not limited.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrgRules {
    /// `[labels.NAME]`: where jobs of a label may run, and who may send them. One that is not built in exists by being
    /// named here.
    pub labels: BTreeMap<Label, LabelRule>,
    /// `[sites]`: which groups' machines are at which site.
    pub sites: BTreeMap<String, Names>,
    /// `[models]`.
    pub models: ModelRules,
    /// `[use]` `groups`: who may use the pool at all.
    pub users: Option<Names>,
    /// `[[quotas]]`.
    pub quotas: Vec<Quota>,
    /// `[login]`: how people say who they are.
    pub login: Option<Login>,
    /// `[checks]`: how answers are checked.
    pub checks: Checks,
}

/// What one label lets a job do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelRule {
    /// The groups whose machines may see such a job.
    pub lenders: Option<Names>,
    /// The groups that may send one.
    pub askers: Option<Names>,
    /// The sites whose machines may see one.
    pub sites: Option<Names>,
    /// How well a worker must be confined at least.
    pub tier: Option<Tier>,
    /// Only machines that nobody sits at.
    pub dedicated: Option<bool>,
}

/// Which models may be used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelRules {
    /// The names of those that may; absent: all.
    pub allow: Option<Names>,
    /// The exact bytes that a name stands for.
    pub bytes: BTreeMap<String, ModelHash>,
}

/// How much somebody may use in a day (UTC): prompt and answer tokens together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Quota {
    /// Of this group's members.
    pub group: Option<String>,
    /// Of this person.
    pub user: Option<String>,
    /// Only with this model.
    pub model: Option<String>,
    /// Each person for themselves, not all together.
    pub each: bool,
    /// So many tokens.
    pub tokens_per_day: u64,
}

/// The organisation's OpenID provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Its issuer URL.
    pub issuer: String,
    /// The id that it knows Lull by: a public client with PKCE.
    pub client: String,
    /// The claim that holds a person's groups.
    pub groups_claim: String,
    /// The claim that names a person.
    pub user_claim: String,
    /// What is asked of the provider beside who it is: some give a person's groups only when asked for them.
    pub scopes: Names,
    /// Nobody asks who has not logged in.
    pub required: bool,
}

/// How answers of lenders are checked by the organisation's own machines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checks {
    /// The ids of the machines that check others; absent: nothing is checked. Ids follow from keys, so nobody can take
    /// one; a name or a group would tell lenders who checks them.
    pub by: Option<Names>,
    /// How often a lender is checked with a question of the checker's own, for each thousand jobs; absent: 20.
    pub per_thousand_jobs: Option<u16>,
    /// The most such checks in an hour, over all lenders; absent: 1200.
    pub per_hour: Option<u32>,
}

impl OrgRules {
    /// Both together: of each rule the stricter word.
    #[must_use]
    pub fn stricter(&self, other: &Self) -> Self {
        let mut labels = self.labels.clone();
        for (label, rule) in &other.labels {
            let both = labels.get(label).map_or_else(|| rule.clone(), |own| own.stricter(rule));
            labels.insert(label.clone(), both);
        }
        let mut sites = self.sites.clone();
        for (site, groups) in &other.sites {
            let both = sites.get(site).map_or_else(|| groups.clone(), |own| own & groups);
            sites.insert(site.clone(), both);
        }
        let mut quotas: Vec<Quota> = self.quotas.iter().chain(&other.quotas).cloned().collect();
        quotas.sort_unstable();
        quotas.dedup();
        Self {
            labels,
            sites,
            models: self.models.stricter(&other.models),
            users: fewer(self.users.as_ref(), other.users.as_ref()),
            quotas,
            login: other.login.clone().or_else(|| self.login.clone()),
            checks: Checks {
                by: fewer(self.checks.by.as_ref(), other.checks.by.as_ref()),
                per_thousand_jobs: self.checks.per_thousand_jobs.max(other.checks.per_thousand_jobs),
                per_hour: self.checks.per_hour.max(other.checks.per_hour),
            },
        }
    }

    /// The site of a machine in these groups: the one that has one of them. A machine that could be at two is at none,
    /// so that no rule of residency is met by half.
    #[must_use]
    pub fn site_of(&self, groups: &[String]) -> Option<&str> {
        let mut sites = self.sites.iter().filter(|(_, of)| groups.iter().any(|group| of.contains(group)));
        match (sites.next(), sites.next()) {
            (Some((site, _)), None) => Some(site),
            _ => None,
        }
    }

    /// Every label that there is: the built-in ones first.
    #[must_use]
    pub fn all_labels(&self) -> Vec<Label> {
        let built_in = Label::all();
        let own = self.labels.keys().filter(|label| !built_in.contains(label)).cloned();
        built_in.iter().cloned().chain(own).collect()
    }

    /// Each thing that is decided, as key and TOML value, in the order of the file.
    #[must_use]
    pub fn words(&self) -> Vec<(String, String)> {
        let mut words = Vec::new();
        let mut say = |key: String, value: Value| words.push((key, plain(&value)));
        for (label, rule) in &self.labels {
            // A label of the organisation's own exists by being named.
            if !Label::all().contains(label) {
                say(format!("labels.{label}"), "exists".into());
            }
            for (key, value) in rule.values() {
                say(format!("labels.{label}.{key}"), value);
            }
        }
        for (site, groups) in &self.sites {
            say(format!("sites.{site}"), list(groups));
        }
        if let Some(allow) = &self.models.allow {
            say("models.allow".into(), list(allow));
        }
        for (name, hash) in &self.models.bytes {
            say(format!("models.bytes.{name}"), hash.to_string().into());
        }
        if let Some(users) = &self.users {
            say("use.groups".into(), list(users));
        }
        for (place, quota) in self.quotas.iter().enumerate() {
            let value = quota.values().into_iter().collect();
            say(format!("quotas.{}", place + 1), Value::InlineTable(value));
        }
        for (key, value) in self.login.iter().flat_map(Login::values) {
            say(format!("login.{key}"), value);
        }
        for (key, value) in self.checks.values() {
            say(format!("checks.{key}"), value);
        }
        words
    }

    /// Adds these tables to a document; what says nothing is left out.
    pub(crate) fn write(&self, document: &mut DocumentMut) {
        let table = |values: Vec<(&'static str, Value)>| -> Table {
            values.into_iter().map(|(key, value)| (key, Item::Value(value))).collect()
        };
        let mut put = |name: &str, table: Table| {
            if !table.is_empty() {
                document.insert(name, Item::Table(table));
            }
        };
        let mut labels = Table::new();
        labels.set_implicit(true);
        for (label, rule) in &self.labels {
            labels.insert(label.as_str(), Item::Table(table(rule.values())));
        }
        put("labels", labels);
        put("sites", self.sites.iter().map(|(site, groups)| (site.as_str(), Item::Value(list(groups)))).collect());
        let mut models = table(self.models.allow.iter().map(|allow| ("allow", list(allow))).collect());
        if !self.models.bytes.is_empty() {
            let bytes = self.models.bytes.iter();
            let bytes: Table =
                bytes.map(|(name, hash)| (name.as_str(), Item::Value(hash.to_string().into()))).collect();
            models.insert("bytes", Item::Table(bytes));
        }
        put("models", models);
        put("use", table(self.users.iter().map(|users| ("groups", list(users))).collect()));
        put("login", table(self.login.iter().flat_map(Login::values).collect()));
        put("checks", table(self.checks.values()));
        if !self.quotas.is_empty() {
            let quotas: ArrayOfTables = self.quotas.iter().map(|quota| table(quota.values())).collect();
            document.insert("quotas", Item::ArrayOfTables(quotas));
        }
    }
}

impl LabelRule {
    fn stricter(&self, other: &Self) -> Self {
        Self {
            lenders: fewer(self.lenders.as_ref(), other.lenders.as_ref()),
            askers: fewer(self.askers.as_ref(), other.askers.as_ref()),
            sites: fewer(self.sites.as_ref(), other.sites.as_ref()),
            tier: self.tier.max(other.tier),
            dedicated: self.dedicated.max(other.dedicated),
        }
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        let names = |key, names: &Option<Names>| names.as_ref().map(|names| (key, list(names)));
        [
            names("lenders", &self.lenders),
            names("askers", &self.askers),
            names("sites", &self.sites),
            self.tier.map(|tier| ("tier", tier.name().into())),
            self.dedicated.map(|dedicated| ("dedicated", dedicated.into())),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl ModelRules {
    fn stricter(&self, other: &Self) -> Self {
        let mut allow = fewer(self.allow.as_ref(), other.allow.as_ref());
        let mut bytes = self.bytes.clone();
        for (name, hash) in &other.bytes {
            // Two words on the same bytes cannot both be followed: nobody uses that model then.
            if bytes.insert(name.clone(), *hash).is_some_and(|before| before != *hash) {
                let all = allow.get_or_insert_with(|| self.bytes.keys().chain(other.bytes.keys()).cloned().collect());
                all.remove(name);
            }
        }
        Self { allow, bytes }
    }
}

impl Quota {
    fn values(&self) -> Vec<(&'static str, Value)> {
        let text = |key, text: &Option<String>| text.as_ref().map(|text| (key, Value::from(text.as_str())));
        let tokens = i64::try_from(self.tokens_per_day).unwrap_or(i64::MAX);
        let each = self.each.then(|| ("each", true.into()));
        let limits = [text("group", &self.group), text("user", &self.user), text("model", &self.model), each];
        limits.into_iter().flatten().chain([("tokens_per_day", tokens.into())]).collect()
    }
}

impl Login {
    /// The claim that holds groups, unless told otherwise.
    pub const GROUPS_CLAIM: &'static str = "groups";
    /// The claim that names a person, unless told otherwise.
    pub const USER_CLAIM: &'static str = "email";

    /// The scopes that are asked for, unless told otherwise.
    #[must_use]
    pub fn usual_scopes() -> Names {
        ["email", "profile"].map(str::to_owned).into()
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("issuer", self.issuer.as_str().into()),
            ("client", self.client.as_str().into()),
            ("groups_claim", self.groups_claim.as_str().into()),
            ("user_claim", self.user_claim.as_str().into()),
            ("scopes", list(&self.scopes)),
            ("required", self.required.into()),
        ]
    }
}

impl Checks {
    fn values(&self) -> Vec<(&'static str, Value)> {
        let by = self.by.as_ref().map(|by| ("by", list(by)));
        let share = self.per_thousand_jobs.map(|share| ("per_thousand_jobs", i64::from(share).into()));
        let pace = self.per_hour.map(|pace| ("per_hour", i64::from(pace).into()));
        by.into_iter().chain(share).chain(pace).collect()
    }
}

/// What both allow; who says nothing allows all.
fn fewer(a: Option<&Names>, b: Option<&Names>) -> Option<Names> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a & b),
        (one, other) => one.or(other).cloned(),
    }
}

fn list(names: &Names) -> Value {
    names.iter().map(String::as_str).collect::<Array>().into()
}

/// As TOML, without the space that a value may have around it.
pub(crate) fn plain(value: &impl fmt::Display) -> String {
    value.to_string().trim().to_owned()
}
