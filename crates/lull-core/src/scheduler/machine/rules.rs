//! What the organisation's rules mean for jobs: who may ask, where a job may run, and how much of a day is left.

use std::sync::Arc;

use lull_policy::{Denied, OrgRules};
use lull_types::{NodeId, Usage};

use super::{
    super::{
        Cut, Output, Refusal, Submit, Used,
        budget::{Exhausted, User},
        fleet::answer_estimate,
    },
    Lease, RunId, Scheduler, State,
};
use crate::Millis;

impl Scheduler {
    /// Follows new rules: what they forbid ends, and what waits is looked at again.
    pub(super) fn rules(&mut self, now: Millis, rules: Arc<OrgRules>, out: &mut Vec<Output>) {
        self.budget.follow(&rules.quotas);
        let same = self.fleet.follow(rules);
        self.catalogue_version += 1;
        let runs: Vec<RunId> =
            self.jobs.iter().flat_map(|(job, entry)| entry.runs.keys().map(|epoch| (*job, *epoch))).collect();
        let mut models = Vec::new();
        for id in runs {
            let Some(job) = self.jobs.get(&id.0) else { continue };
            let Some(run) = job.runs.get(&id.1) else { continue };
            let (submitter, state, label) = (job.submitter, run.state, &run.submit.label);
            let asked = self.may_ask(submitter, &run.submit);
            let may_see = state.lender().is_none_or(|lender| self.fleet.may_see(lender, label).is_ok());
            let bytes = state.model().is_none_or(|hash| self.fleet.rules().may_run(&run.submit.model, &hash).is_ok());
            // What has begun is for the lender to judge, who knows more of itself.
            let known = same.contains(label) || matches!(state, State::Waiting | State::Running(..));
            let lent = may_see && bytes && known;
            models.push(run.submit.model.clone());
            if let Err(denied) = asked {
                let why = Refusal::Denied(Box::new(denied));
                if matches!(state, State::Waiting | State::Reserved(..)) {
                    out.push(Output::Refused { submitter, job: id.0, epoch: id.1, why });
                }
                models.extend(self.drop_run(now, id, Cut::Forbidden, out));
            } else if !lent {
                models.extend(self.take_back(now, id, state, out));
            }
        }
        self.dispatch_each(now, models, out);
    }

    /// A run that must not stay where it is. What has not begun waits for another lender; whoever asked for what has
    /// begun goes on with another run.
    fn take_back(&mut self, now: Millis, id: RunId, state: State, out: &mut Vec<Output>) -> Vec<String> {
        match state {
            State::Reserved(lender, _) => {
                out.push(Output::Release { lender, job: id.0, epoch: id.1 });
                self.requeue(now, id, out).into_iter().collect()
            }
            State::Granted(..) => {
                if let Some(job) = self.jobs.get_mut(&id.0) {
                    job.lost = Some(id.1);
                }
                self.drop_run(now, id, Cut::Forbidden, out)
            }
            State::Waiting | State::Running(..) => self.drop_run(now, id, Cut::Forbidden, out),
        }
    }

    /// A node gets no job any more, or may have some again. What it has not begun goes to others; nobody is to trust what
    /// it has begun.
    pub(super) fn quarantined(&mut self, now: Millis, node: NodeId, on: bool, out: &mut Vec<Output>) {
        self.fleet.quarantine(node, on);
        let mut models = self.fleet.models_of(node);
        for id in self.by_node.get(&node).cloned().unwrap_or_default() {
            let Some(state) = self.run(id).map(|run| run.state) else { continue };
            if on && state.lender() == Some(node) {
                models.extend(self.take_back(now, id, state, out));
            }
        }
        self.dispatch_each(now, models, out);
    }

    /// A day begins, or the use of one that has begun is heard of.
    pub(super) fn day(&mut self, day: u64, used: Vec<Used>) {
        self.budget.begin(day);
        for Used { user, groups, model, tokens } in used {
            self.budget.recount(&User { name: &user, groups: &groups }, &model, day, 0, tokens);
        }
    }

    /// Why the rules do not let this be asked.
    pub(super) fn denied(&self, submitter: NodeId, submit: &Submit) -> Option<Refusal> {
        self.may_ask(submitter, submit).err().map(|denied| Refusal::Denied(Box::new(denied)))
    }

    fn may_ask(&self, submitter: NodeId, submit: &Submit) -> Result<(), Denied> {
        let rules = self.fleet.rules();
        let required = submit.check.is_none() && rules.login.as_ref().is_some_and(|login| login.required);
        if required && !self.fleet.has_logged_in(submitter) {
            return Err(Denied::Login);
        }
        let groups = self.fleet.groups(submitter).unwrap_or_default();
        rules.may_ask(&submit.label, &submit.model, groups)
    }

    /// Which quota does not let this be asked today.
    pub(super) fn not_allowed(&self, submitter: NodeId, submit: &Submit) -> Option<Refusal> {
        if submit.check.is_some() {
            return None;
        }
        let groups = self.fleet.all_groups(submitter);
        let user = User { name: self.fleet.user(submitter).unwrap_or_default(), groups: &groups };
        let Exhausted { quota, left } = self.budget.check(&user, &submit.model, estimate(submit)).err()?;
        Some(Refusal::Quota { quota: Box::new(quota), left })
    }

    /// Why a waiting run will find nobody: no machine offers its model, or none that does may see it.
    pub(super) fn nowhere(&self, id: RunId) -> Option<Refusal> {
        let submit = &self.run(id)?.submit;
        match self.fleet.somewhere(&submit.model, &submit.label) {
            Ok(true) => None,
            Ok(false) => Some(Refusal::NoOffer),
            Err(denied) => Some(Refusal::LabelNowhere(Box::new(denied))),
        }
    }

    /// Keeps a part of the day's quotas for a run.
    pub(super) fn lease(&mut self, id: RunId) {
        let day = self.budget.day();
        let Some(job) = self.jobs.get_mut(&id.0) else { return };
        let Some(submit) = job.runs.get(&id.1).map(|run| &run.submit).filter(|submit| submit.check.is_none()) else {
            return;
        };
        let (user, groups) = (self.fleet.user(job.submitter), self.fleet.all_groups(job.submitter));
        let (user, model) = (user.unwrap_or_default().to_owned(), submit.model.clone());
        let (max_tokens, tokens) = (submit.max_tokens, estimate(submit));
        let lease = Lease { day, user, groups, model, max_tokens, tokens, settled: false };
        let by = User { name: &lease.user, groups: &lease.groups };
        self.budget.recount(&by, &lease.model, day, 0, lease.tokens);
        job.leases.insert(id.1, lease);
    }

    /// One of a run's two sides says what it has used: the rest of its lease is free again. Where both say something, the
    /// larger word counts, so that nobody asks for nothing by saying so.
    pub(super) fn give_back(&mut self, id: RunId, usage: Usage) {
        let Some(lease) = self.jobs.get_mut(&id.0).and_then(|job| job.leases.get_mut(&id.1)) else { return };
        let used = u64::from(usage.prompt_tokens) + u64::from(usage.completion_tokens.min(lease.max_tokens));
        let before = lease.tokens;
        lease.tokens = if lease.settled { used.max(before) } else { used };
        lease.settled = true;
        let by = User { name: &lease.user, groups: &lease.groups };
        self.budget.recount(&by, &lease.model, lease.day, before, lease.tokens);
    }
}

/// So many tokens are kept for a run until it is known what it used.
fn estimate(submit: &Submit) -> u64 {
    u64::from(submit.prompt_tokens) + u64::from(answer_estimate(submit.max_tokens))
}
