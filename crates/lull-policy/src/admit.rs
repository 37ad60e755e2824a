//! Whether a job may run somewhere. The one place that says so: the relay asks when it chooses, whoever asked when they
//! check whom they were given, and the lender before anything of the job is read.

use lull_types::{Code, Fault, Label, ModelHash, Tier};

use crate::{Names, OrgRules};

/// Why a rule keeps a job away: who said so is the organisation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No such label.
    #[error("the label \"{0}\" does not exist in this organisation; it has: {1}")]
    LabelUnknown(String, String),
    /// Whoever asks has not said who they are.
    #[error("sign in first: lull login (rule login.required)")]
    Login,
    /// Whoever asks may not use the pool.
    #[error("using the pool is for members of {0}; ask IT to be one (rule use.groups)")]
    User(String),
    /// Whoever asks may not use this label.
    #[error(
        "the label \"{label}\" is for members of {groups}; use another label, or ask IT (rule labels.{label}.askers)"
    )]
    Asker {
        /// The label.
        label: String,
        /// Who may.
        groups: String,
    },
    /// This machine is not in a group that may see it.
    #[error("jobs labelled \"{label}\" run only on machines of {groups} (rule labels.{label}.lenders)")]
    Lender {
        /// The label.
        label: String,
        /// Whose machines may.
        groups: String,
    },
    /// This machine is not where it may be seen.
    #[error("jobs labelled \"{label}\" run only at {sites}, and this machine is at {at} (rule labels.{label}.sites)")]
    Site {
        /// The label.
        label: String,
        /// Where they may run.
        sites: String,
        /// Where the machine is.
        at: String,
    },
    /// Workers are not confined well enough here.
    #[error("jobs labelled \"{0}\" need a sandbox of tier {1} (rule labels.{0}.tier)")]
    Tier(String, Tier),
    /// Somebody sits at this machine.
    #[error("jobs labelled \"{0}\" run only on dedicated machines (rule labels.{0}.dedicated)")]
    Dedicated(String),
    /// The model is not on the list.
    #[error("the model \"{0}\" is not one that this organisation allows; it allows: {1} (rule models.allow)")]
    Model(String, String),
    /// The name stands for other bytes.
    #[error("the files of the model \"{0}\" are not those that this organisation pinned (rule models.bytes.{0})")]
    Bytes(String),
}

impl From<Denied> for Fault {
    fn from(denied: Denied) -> Self {
        // A slip of the pen is the asker's to mend, a rule is not.
        let code = if matches!(denied, Denied::LabelUnknown(..)) { Code::BadRequest } else { Code::Forbidden };
        Self::new(code, denied.to_string())
    }
}

/// A machine as it knows itself.
#[derive(Debug, Clone, Copy)]
pub struct Here<'a> {
    /// Its groups.
    pub groups: &'a [String],
    /// How well its workers are confined; `None`: they cannot run.
    pub tier: Option<Tier>,
    /// Nobody sits at it.
    pub dedicated: bool,
}

/// A job as its lender knows it.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Its label.
    pub label: &'a Label,
    /// The model, as the lender calls it.
    pub model: &'a str,
    /// The model's exact bytes.
    pub hash: &'a ModelHash,
    /// The groups of whoever asks, proved by them; `None`: not known yet.
    pub asker: Option<&'a [String]>,
}

impl OrgRules {
    /// The lender's own decision, which takes nobody's word for anything.
    ///
    /// # Errors
    /// [`Denied`]: the first rule that says no.
    pub fn may_serve(&self, here: Here<'_>, wanted: Wanted<'_>) -> Result<(), Denied> {
        self.may_lend_here(wanted.label, here.groups, here.tier, here.dedicated)?;
        self.may_run(wanted.model, wanted.hash)?;
        wanted.asker.map_or(Ok(()), |groups| self.may_ask(wanted.label, wanted.model, groups))
    }

    /// Whether somebody in these groups may ask this model with this label.
    ///
    /// # Errors
    /// [`Denied`]: the first rule that says no.
    pub fn may_ask(&self, label: &Label, model: &str, groups: &[String]) -> Result<(), Denied> {
        self.may_send(label, groups)?;
        self.may_name(model)
    }

    /// Whether somebody in these groups may send a job with this label, whatever the model.
    ///
    /// # Errors
    /// [`Denied`]: the first rule that says no.
    pub fn may_send(&self, label: &Label, groups: &[String]) -> Result<(), Denied> {
        self.knows(label)?;
        if let Some(users) = self.users.as_ref().filter(|users| !meets(users, groups)) {
            return Err(Denied::User(shown(users)));
        }
        let askers = self.labels.get(label).and_then(|rule| rule.askers.as_ref());
        match askers.filter(|askers| !meets(askers, groups)) {
            Some(askers) => Err(Denied::Asker { label: label.to_string(), groups: shown(askers) }),
            None => Ok(()),
        }
    }

    /// Whether a machine in these groups may see a job with this label, as far as its groups say.
    ///
    /// # Errors
    /// [`Denied`]: the first rule that says no.
    pub fn may_lend(&self, label: &Label, groups: &[String]) -> Result<(), Denied> {
        self.knows(label)?;
        let Some(rule) = self.labels.get(label) else { return Ok(()) };
        if let Some(lenders) = rule.lenders.as_ref().filter(|lenders| !meets(lenders, groups)) {
            return Err(Denied::Lender { label: label.to_string(), groups: shown(lenders) });
        }
        let at = self.site_of(groups);
        match &rule.sites {
            Some(sites) if !at.is_some_and(|at| sites.contains(at)) => {
                let at = at.unwrap_or("no site that is known").to_owned();
                Err(Denied::Site { label: label.to_string(), sites: shown(sites), at })
            }
            _ => Ok(()),
        }
    }

    /// Whether this very machine may see a job with this label: its groups, and what only it knows of itself.
    ///
    /// # Errors
    /// [`Denied`]: the first rule that says no.
    pub fn may_lend_here(
        &self,
        label: &Label,
        groups: &[String],
        tier: Option<Tier>,
        dedicated: bool,
    ) -> Result<(), Denied> {
        self.may_lend(label, groups)?;
        let Some(rule) = self.labels.get(label) else { return Ok(()) };
        if let Some(wanted) = rule.tier.filter(|wanted| tier.is_none_or(|tier| tier < *wanted)) {
            return Err(Denied::Tier(label.to_string(), wanted));
        }
        if rule.dedicated == Some(true) && !dedicated {
            return Err(Denied::Dedicated(label.to_string()));
        }
        Ok(())
    }

    /// Whether a model of this name may be asked for.
    ///
    /// # Errors
    /// [`Denied::Model`].
    pub fn may_name(&self, model: &str) -> Result<(), Denied> {
        match self.models.allow.as_ref().filter(|allow| !allow.contains(model)) {
            Some(allow) => Err(Denied::Model(model.to_owned(), shown(allow))),
            None => Ok(()),
        }
    }

    /// Whether these bytes may be used under this name.
    ///
    /// # Errors
    /// [`Denied::Model`] or [`Denied::Bytes`].
    pub fn may_run(&self, model: &str, hash: &ModelHash) -> Result<(), Denied> {
        self.may_name(model)?;
        match self.models.bytes.get(model).filter(|pinned| *pinned != hash) {
            Some(_) => Err(Denied::Bytes(model.to_owned())),
            None => Ok(()),
        }
    }

    fn knows(&self, label: &Label) -> Result<(), Denied> {
        if self.labels.contains_key(label) || Label::all().contains(label) {
            return Ok(());
        }
        let all = self.all_labels().iter().map(Label::to_string).collect::<Vec<_>>().join(", ");
        Err(Denied::LabelUnknown(label.to_string(), all))
    }
}

fn meets(allowed: &Names, groups: &[String]) -> bool {
    groups.iter().any(|group| allowed.contains(group))
}

/// Names for a sentence.
fn shown(names: &Names) -> String {
    if names.is_empty() { "nobody".into() } else { names.iter().map(String::as_str).collect::<Vec<_>>().join(", ") }
}
