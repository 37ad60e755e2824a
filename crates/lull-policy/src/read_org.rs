//! The organisation's own tables, from text to values.

use std::{collections::BTreeMap, ops::RangeInclusive};

use lull_types::{Label, ModelHash, NodeId, Tier};
use toml_edit::{Item, TableLike};

use crate::{
    LabelRule, Login, Names, OrgRules, Quota,
    org::{CHECKS_PER_HOUR_MAX, CHECKS_PER_THOUSAND_MAX, LABELS_MAX, NAME_BYTES_MAX, NAMES_MAX, QUOTAS_MAX},
    read::{File, Result, kind, short},
};

/// The tables that only an organisation's policy has.
pub(crate) const ORG_TABLES: [&str; 7] = ["labels", "sites", "models", "use", "quotas", "login", "checks"];
const LABEL_KEYS: [&str; 5] = ["lenders", "askers", "sites", "tier", "dedicated"];
const QUOTA_KEYS: [&str; 5] = ["group", "user", "model", "each", "tokens_per_day"];
const LOGIN_KEYS: [&str; 6] = ["issuer", "client", "groups_claim", "user_claim", "scopes", "required"];

/// The most tokens of a quota: what no pool comes near, and every program can count.
const TOKENS_MAX: i64 = 1_000_000_000_000_000;

impl File<'_> {
    /// Reads one of [`ORG_TABLES`].
    pub(crate) fn set_org(&self, rules: &mut OrgRules, name: &str, item: &Item) -> Result<()> {
        if name == "quotas" {
            rules.quotas = self.quotas(item)?;
            return Ok(());
        }
        let table = self.table(name, item)?;
        match name {
            "labels" => rules.labels = self.labels(table)?,
            "sites" => {
                let site = |(site, groups): (&str, &Item)| Ok((self.name(site, item)?, self.names(site, groups)?));
                rules.sites = table.iter().map(site).collect::<Result<BTreeMap<_, _>>>()?;
                self.few("sites", item, rules.sites.len(), NAMES_MAX)?;
            }
            "models" => self.each(table, "models", &["allow", "bytes"], |key, item| {
                match key {
                    "allow" => rules.models.allow = Some(self.names(key, item)?),
                    _ => rules.models.bytes = self.bytes(self.table("models.bytes", item)?)?,
                }
                Ok(())
            })?,
            "use" => self.each(table, "use", &["groups"], |key, item| {
                rules.users = Some(self.names(key, item)?);
                Ok(())
            })?,
            "login" => rules.login = Some(self.login(item, table)?),
            _ => self.each(table, "checks", &["by", "per_thousand_jobs", "per_hour"], |key, item| {
                match key {
                    "by" => rules.checks.by = Some(self.nodes(key, item)?),
                    "per_thousand_jobs" => {
                        let share = self.whole(key, item, 1..=CHECKS_PER_THOUSAND_MAX, false, 20)?;
                        rules.checks.per_thousand_jobs = Some(share);
                    }
                    _ => rules.checks.per_hour = Some(self.whole(key, item, 1..=CHECKS_PER_HOUR_MAX, false, 1_200)?),
                }
                Ok(())
            })?,
        }
        Ok(())
    }

    fn labels(&self, table: &dyn TableLike) -> Result<BTreeMap<Label, LabelRule>> {
        let mut labels = BTreeMap::new();
        for (name, item) in table.iter() {
            let label: Label = name.parse().map_err(|error: lull_types::LabelError| {
                self.fault(item.span(), error.to_string(), "write `[labels.NAME]` with such a name")
            })?;
            let table = self.table(&format!("labels.{}", short(name)), item)?;
            let mut rule = LabelRule::default();
            self.each(table, &format!("labels.{label}"), &LABEL_KEYS, |key, item| {
                match key {
                    "lenders" => rule.lenders = Some(self.names(key, item)?),
                    "askers" => rule.askers = Some(self.names(key, item)?),
                    "sites" => rule.sites = Some(self.names(key, item)?),
                    "tier" => rule.tier = Some(self.tier(key, item)?),
                    _ => rule.dedicated = Some(self.flag(key, item)?),
                }
                Ok(())
            })?;
            labels.insert(label, rule);
        }
        if labels.len() > LABELS_MAX {
            let problem = format!("there are {} labels, the most is {LABELS_MAX}", labels.len());
            return Err(self.fault(None, problem, "leave out those that nobody uses"));
        }
        Ok(labels)
    }

    fn bytes(&self, table: &dyn TableLike) -> Result<BTreeMap<String, ModelHash>> {
        let hash = |(name, item): (&str, &Item)| {
            let remedy = "write the 64 digits that `lull models list --json` shows as its hash";
            let text = self.text(name, item, remedy)?;
            let hash =
                text.parse().map_err(|_| self.fault(item.span(), format!("\"{}\" is not a hash", short(text)), remedy));
            Ok((self.name(name, item)?, hash?))
        };
        table.iter().map(hash).collect()
    }

    fn quotas(&self, item: &Item) -> Result<Vec<Quota>> {
        let remedy =
            "write each as `[[quotas]]` with `tokens_per_day` and, where it is meant, `group`, `user`, `model`";
        let tables: Vec<&dyn TableLike> = match item {
            Item::ArrayOfTables(tables) => tables.iter().map(|table| table as &dyn TableLike).collect(),
            item => {
                let values = item
                    .as_array()
                    .ok_or_else(|| self.fault(item.span(), format!("`quotas` is {}", kind(item)), remedy))?;
                let table = |value: &'_ toml_edit::Value| {
                    let fault = || self.fault(value.span(), "`quotas` holds what is not a table", remedy);
                    value.is_inline_table().then_some(()).ok_or_else(fault)
                };
                values.iter().try_for_each(table)?;
                values.iter().filter_map(|value| value.as_inline_table()).map(|table| table as &dyn TableLike).collect()
            }
        };
        self.few("quotas", item, tables.len(), QUOTAS_MAX)?;
        let quotas: Result<Vec<Quota>> = tables.into_iter().map(|table| self.quota(item, table)).collect();
        // Two files that say the same say it in one order.
        let mut quotas = quotas?;
        quotas.sort_unstable();
        quotas.dedup();
        Ok(quotas)
    }

    fn quota(&self, item: &Item, table: &dyn TableLike) -> Result<Quota> {
        let mut quota = Quota::default();
        let mut tokens = None;
        self.each(table, "quotas", &QUOTA_KEYS, |key, item| {
            match key {
                "group" => quota.group = Some(self.named(key, item)?),
                "user" => quota.user = Some(self.named(key, item)?),
                "model" => quota.model = Some(self.named(key, item)?),
                "each" => quota.each = self.flag(key, item)?,
                _ => tokens = Some(self.long(key, item, 0..=TOKENS_MAX)?),
            }
            Ok(())
        })?;
        let missing = || self.fault(item.span(), "a quota has no `tokens_per_day`", "say how many tokens it allows");
        quota.tokens_per_day = tokens.ok_or_else(missing)?;
        if quota.group.is_some() && quota.user.is_some() {
            let remedy = "name one of them; a person's quota holds in whatever group they are";
            return Err(self.fault(item.span(), "a quota names a group and a user", remedy));
        }
        Ok(quota)
    }

    fn login(&self, item: &Item, table: &dyn TableLike) -> Result<Login> {
        let (mut issuer, mut client, mut required) = (None, None, false);
        let (mut groups_claim, mut user_claim) = (Login::GROUPS_CLAIM.to_owned(), Login::USER_CLAIM.to_owned());
        let mut scopes = Login::usual_scopes();
        self.each(table, "login", &LOGIN_KEYS, |key, item| {
            match key {
                "issuer" => issuer = Some(self.issuer(key, item)?),
                "client" => client = Some(self.named(key, item)?),
                "groups_claim" => groups_claim = self.named(key, item)?,
                "user_claim" => user_claim = self.named(key, item)?,
                "scopes" => scopes = self.names(key, item)?,
                _ => required = self.flag(key, item)?,
            }
            Ok(())
        })?;
        let missing =
            |key: &str| self.fault(item.span(), format!("`[login]` has no `{key}`"), format!("add `{key} = …`"));
        let issuer = issuer.ok_or_else(|| missing("issuer"))?;
        let client = client.ok_or_else(|| missing("client"))?;
        Ok(Login { issuer, client, groups_claim, user_claim, scopes, required })
    }

    /// What passwords go to is reached by TLS, or lies on this machine.
    fn issuer(&self, key: &str, item: &Item) -> Result<String> {
        let issuer = self.named(key, item)?;
        let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
        let is_local = local.iter().any(|start| {
            issuer.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
        });
        if issuer.starts_with("https://") || is_local {
            return Ok(issuer);
        }
        Err(self.fault(item.span(), format!("`{key}` is \"{}\"", short(&issuer)), "write an address with https://"))
    }

    /// Hands each key of a table on, if it is one of `known`.
    fn each(
        &self,
        table: &dyn TableLike,
        name: &str,
        known: &[&str],
        mut set: impl FnMut(&str, &Item) -> Result<()>,
    ) -> Result<()> {
        for (key, item) in table.iter() {
            if !known.contains(&key) {
                return Err(self.unknown(table, key, &format!("key in `[{name}]`"), known));
            }
            set(key, item)?;
        }
        Ok(())
    }

    fn table<'a>(&self, name: &str, item: &'a Item) -> Result<&'a dyn TableLike> {
        item.as_table_like().ok_or_else(|| {
            let problem = format!("`{name}` is {}, not a table", kind(item));
            self.fault(item.span(), problem, format!("write `[{name}]` once, alone on a line"))
        })
    }

    fn names(&self, key: &str, item: &Item) -> Result<Names> {
        let remedy = format!("write at most {NAMES_MAX} names, such as `{} = [\"finance\"]`", short(key));
        let texts = self.texts(&short(key), item, &remedy)?;
        self.few(key, item, texts.len(), NAMES_MAX)?;
        let name = |(at, name): (Option<_>, &str)| match fits(name) {
            true => Ok(name.to_owned()),
            false => {
                Err(self.fault(at, format!("`{}` holds \"{}\", which is no name", short(key), short(name)), &*remedy))
            }
        };
        texts.into_iter().map(name).collect()
    }

    /// Machines, by their whole ids.
    fn nodes(&self, key: &str, item: &Item) -> Result<Names> {
        let names = self.names(key, item)?;
        let wrong = names.iter().find(|name| name.parse::<NodeId>().is_err());
        let remedy = "write whole ids, as `lull admin nodes` lists them";
        let fault = |name: &String| {
            self.fault(item.span(), format!("`{key}` holds \"{}\", which is no id", short(name)), remedy)
        };
        wrong.map_or(Ok(names.clone()), |name| Err(fault(name)))
    }

    /// A key that is a name.
    fn name(&self, name: &str, item: &Item) -> Result<String> {
        let problem = || self.fault(item.span(), format!("\"{}\" is no name", short(name)), REMEDY);
        fits(name).then(|| name.to_owned()).ok_or_else(problem)
    }

    /// A value that is a name.
    fn named(&self, key: &str, item: &Item) -> Result<String> {
        let text = self.text(key, item, REMEDY)?;
        self.name(text, item)
    }

    fn text<'a>(&self, key: &str, item: &'a Item, remedy: &str) -> Result<&'a str> {
        item.as_str().ok_or_else(|| self.fault(item.span(), format!("`{}` is {}", short(key), kind(item)), remedy))
    }

    fn tier(&self, key: &str, item: &Item) -> Result<Tier> {
        let remedy = "write `tier = \"basic\"` or `tier = \"full\"`";
        let text = self.text(key, item, remedy)?;
        let unknown = || self.fault(item.span(), format!("`{key}` is \"{}\"", short(text)), remedy);
        Tier::ALL.into_iter().find(|tier| tier.name() == text).ok_or_else(unknown)
    }

    fn long(&self, key: &str, item: &Item, range: RangeInclusive<i64>) -> Result<u64> {
        let remedy = || format!("write a whole number from {} to {}", range.start(), range.end());
        let number =
            item.as_integer().ok_or_else(|| self.fault(item.span(), format!("`{key}` is {}", kind(item)), remedy()))?;
        if !range.contains(&number) {
            return Err(self.fault(item.span(), format!("`{key}` is {number}"), remedy()));
        }
        Ok(number.unsigned_abs())
    }

    fn few(&self, what: &str, item: &Item, count: usize, most: usize) -> Result<()> {
        if count <= most {
            return Ok(());
        }
        let problem = format!("`{}` has {count} entries, the most is {most}", short(what));
        Err(self.fault(item.span(), problem, "put what belongs together into one group"))
    }
}

const REMEDY: &str = "write a name of 1 to 128 printable bytes without space around it";

fn fits(name: &str) -> bool {
    !name.is_empty() && name.trim() == name && name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control)
}

#[cfg(test)]
#[path = "org_tests.rs"]
mod tests;
