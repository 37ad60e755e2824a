use super::*;

impl World {
    /// Tells the scheduler, and holds what it does to the oracle.
    pub(super) fn step(&mut self, input: Input) {
        let rules = matches!(input, Input::Rules(_));
        let away = if let Input::Quarantined { node, on: true } = input { Some(self.machine_of(node)) } else { None };
        self.expect(&input);
        let out = self.scheduler.handle(self.now, input);
        for output in &out {
            self.heard(output, rules || away.is_some());
        }
        if let Some(away) = away {
            assert_eq!(self.held_at(away), 0, "a quarantined machine goes on");
        }
        if rules {
            self.nothing_forbidden_goes_on();
        }
        if rules || self.roll(8) == 0 {
            self.nobody_waits_in_vain();
        }
    }

    pub(super) fn submit(&mut self, at: usize, mut submit: Submit, directed: bool) {
        if !self.machines[at].up {
            return;
        }
        let id = (submit.job, submit.epoch);
        let only = directed.then(|| self.roll(MACHINES as u64) as usize);
        submit.check = only.map(|lender| self.machines[lender].node);
        let may_not = self.forbids(at, &submit, None);
        self.runs.insert(id, Asked { by: at, submit: submit.clone(), stage: Stage::Waiting, only });
        self.step(Input::Submit { submitter: self.machines[at].node, submit });
        assert!(may_not.is_empty() || !self.runs.contains_key(&id), "taken on: {may_not:?}");
    }

    pub(super) fn machine_of(&self, node: NodeId) -> usize {
        self.machines.iter().position(|machine| machine.node == node).unwrap()
    }

    /// All that the rules of this moment have against a job, and against it there.
    pub(super) fn forbids(&self, by: usize, submit: &Submit, there: Option<(usize, ModelHash)>) -> Vec<No> {
        let (rules, asker) = (&self.policy, &self.machines[by]);
        let Submit { label, model, .. } = submit;
        let known = asker.logged_in || submit.check.is_some();
        let mut no = oracle::asking(rules, label, model, &asker.groups, known);
        if let Some((lender, hash)) = there {
            let lender = &self.machines[lender];
            no.extend(oracle::lending(rules, label, &lender.groups));
            no.extend(oracle::running(rules, model, hash));
            no.extend(oracle::hosting(rules, label, lender.tier, lender.dedicated));
        }
        no
    }

    /// What an input does by itself, before anything is decided.
    fn expect(&mut self, input: &Input) {
        match input {
            Input::NodeDown { node } => self.gone(self.machine_of(*node)),
            Input::Declined { node, job, epoch, .. } => {
                let at = self.machine_of(*node);
                if let Some(Asked { stage, .. }) = self.runs.get_mut(&(*job, *epoch))
                    && matches!(stage, Stage::Reserved(of, ..) if *of == at)
                {
                    *stage = Stage::Waiting;
                    self.declined(*job, at);
                }
            }
            Input::Finished { job, epoch, lender_lost } => {
                let Some(run) = self.runs.remove(&(*job, *epoch)) else { return };
                if let (true, Some((at, _))) = (*lender_lost, run.stage.at()) {
                    self.avoid(*job, at);
                    self.again(run.by, run.submit);
                }
            }
            Input::Cancel { job, .. } => self.runs.retain(|id, _| id.0 != *job),
            Input::Rules(rules) => {
                // What a label asks of a machine alone is new: until the machine has said so, nobody knows that it does.
                let asks =
                    |rules: &OrgRules, label: &Label| rules.labels.get(label).map(|rule| (rule.tier, rule.dedicated));
                for machine in &mut self.machines {
                    let before = self.before.clone();
                    machine.surely.retain(|label| asks(&before, label) == asks(rules, label));
                }
                self.before = rules.clone();
            }
            _ => {}
        }
    }

    fn gone(&mut self, at: usize) {
        let machine = &mut self.machines[at];
        (machine.up, machine.paused_until) = (false, Millis(0));
        machine.labels.clear();
        machine.surely.clear();
        let _ = self.careless.handle(self.now, Input::NodeDown { node: machine.node });
        for id in self.runs.keys().copied().collect::<Vec<_>>() {
            let Some(run) = self.runs.get_mut(&id) else { continue };
            match run.stage {
                _ if run.by == at => {
                    let run = self.runs.remove(&id).unwrap();
                    self.machines[at].unfinished.push(run.submit);
                }
                Stage::Reserved(of, ..) if of == at => run.stage = Stage::Waiting,
                Stage::Granted(of, _) if of == at => {
                    let run = self.runs.remove(&id).unwrap();
                    self.again(run.by, run.submit);
                }
                _ => {}
            }
        }
    }

    fn avoid(&mut self, job: JobId, at: usize) {
        let until = self.now.plus(DECLINE_AVOID_MS);
        let avoided = self.avoid.entry(job).or_default();
        avoided.retain(|(of, _)| *of != at);
        avoided.push((at, until));
    }

    fn declined(&mut self, job: JobId, at: usize) {
        self.avoid(job, at);
        self.machines[at].paused_until = self.now.plus(DECLINE_PAUSE_MS);
    }

    fn heard(&mut self, output: &Output, rules: bool) {
        match output {
            Output::Reserve(reserve) => self.reserved(reserve),
            Output::Grant(grant) => self.granted(grant),
            Output::Refused { submitter, job, epoch, why } => {
                let run = self.runs.remove(&(*job, *epoch)).expect("refused what is not asked for");
                assert_eq!(*submitter, self.machines[run.by].node);
                assert!(!matches!(run.stage, Stage::Granted(..) | Stage::Running(..)), "refused after its grant");
                if rules && matches!(why, Refusal::Denied(_)) {
                    self.ended_by_rules(run.stage);
                }
                self.refused(&run, why);
            }
            Output::Release { lender, job, epoch } => {
                let at = self.machine_of(*lender);
                let Some(run) = self.runs.get_mut(&(*job, *epoch)) else { return };
                match run.stage {
                    Stage::Reserved(of, _, since) if of == at => {
                        run.stage = Stage::Waiting;
                        if self.now.since(since) >= RESERVE_MAX_MS {
                            self.declined(*job, at);
                        } else {
                            assert!(rules, "a reservation was taken back");
                            self.ended_by_rules(Stage::Reserved(of, ModelHash([0; 32]), since));
                        }
                    }
                    Stage::Granted(of, _) if of == at => {
                        let run = self.runs.remove(&(*job, *epoch)).unwrap();
                        if rules {
                            self.ended_by_rules(run.stage);
                        }
                        self.again(run.by, run.submit);
                    }
                    _ => {}
                }
            }
            Output::Cut { job, epoch, why } => {
                let Some(run) = self.runs.remove(&(*job, *epoch)) else { return };
                let Stage::Running(at, _) = run.stage else { panic!("cut what does not run: {run:?}") };
                match why {
                    Cut::LenderLost => self.avoid(*job, at),
                    Cut::Forbidden => self.ended_by_rules(run.stage),
                    Cut::Cancelled | Cut::TooLong => panic!("cut: {why:?}"),
                }
                self.again(run.by, run.submit);
            }
            Output::Queued { .. } | Output::Learned { .. } => {}
        }
    }

    fn ended_by_rules(&mut self, stage: Stage) {
        let what = match stage {
            Stage::Waiting => "waiting",
            Stage::Reserved(..) => "reserved",
            Stage::Granted(..) => "granted",
            Stage::Running(..) => "running",
        };
        *self.counts.ended_by_rules.entry(what).or_default() += 1;
    }

    fn reserved(&mut self, reserve: &Reserve) {
        self.counts.reserved += 1;
        let (at, id) = (self.machine_of(reserve.lender), (reserve.submit.job, reserve.submit.epoch));
        let run = self.runs.get(&id).expect("reserved for nobody");
        assert_eq!((run.stage, &run.submit), (Stage::Waiting, &reserve.submit));
        assert!(run.only.is_none_or(|only| only == at), "a check went to another lender");
        let no = self.forbids(run.by, &run.submit, Some((at, reserve.model)));
        let lender = &self.machines[at];
        assert_eq!(no, [], "reserved where it may not be: {:?} {:?} under {:?}", reserve.submit, lender, self.policy);
        assert!(lender.up && !lender.quarantined, "reserved at a machine that gets nothing: {lender:?}");
        assert!(lender.labels.contains(&reserve.submit.label), "reserved where the label is not taken: {lender:?}");
        let offered = |model: &OfferedModel| model.name == reserve.submit.model && model.hash == reserve.model;
        assert!(lender.models.iter().any(offered), "reserved what is not offered");
        assert!(self.held_at(at) < usize::from(lender.slots), "reserved more than there is room for");
        let arrivals = lender.arrivals;
        self.runs.get_mut(&id).unwrap().stage = Stage::Reserved(at, reserve.model, self.now);
        let delay = 1 + self.roll(60);
        self.later(delay, Event::Answer(at, arrivals, id));
    }

    fn granted(&mut self, grant: &Granted) {
        self.counts.granted += 1;
        let (at, id) = (self.machine_of(grant.lender), (grant.submit.job, grant.submit.epoch));
        let run = self.runs.get(&id).expect("granted to nobody");
        assert!(matches!(run.stage, Stage::Reserved(of, hash, _) if of == at && hash == grant.model), "{run:?}");
        assert_eq!((self.machines[run.by].node, &run.submit), (grant.submitter, &grant.submit));
        let no = self.forbids(run.by, &run.submit, Some((at, grant.model)));
        assert_eq!(no, [], "granted where it may not be: {:?} under {:?}", grant.submit, self.policy);
        self.runs.get_mut(&id).unwrap().stage = Stage::Granted(at, grant.model);
        // Most are opened at once, some late, a few never.
        let delay = match self.roll(40) {
            0 => GRANT_OPEN_MAX_MS + 1,
            1..=3 => 3_000,
            4..=7 => 500,
            delay => 1 + delay,
        };
        self.later(delay, Event::Open(id));
    }

    fn held_at(&self, at: usize) -> usize {
        self.runs.values().filter(|run| run.stage.at().is_some_and(|(of, _)| of == at)).count()
    }

    /// Whether a refusal is true.
    fn refused(&mut self, run: &Asked, why: &Refusal) {
        let name = match why {
            Refusal::Denied(denied) => {
                let no = self.forbids(run.by, &run.submit, None);
                assert!(no.contains(&No::of(denied)), "{denied}: {run:?}");
                format!("{:?}", No::of(denied))
            }
            Refusal::LabelNowhere(denied) => {
                let label = &run.submit.label;
                let might =
                    self.machines.iter().any(|machine| self.might(machine, run) && machine.surely.contains(label));
                assert!(!might, "{denied}, though there is one: {run:?}");
                format!("nowhere: {:?}", No::of(denied))
            }
            Refusal::NoOffer => {
                let offers = |machine: &Machine| {
                    let offers = machine.models.iter().any(|model| model.name == run.submit.model);
                    machine.up && !machine.quarantined && machine.slots > 0 && offers
                };
                assert!(!self.machines.iter().any(offers), "no offer, though there is one: {run:?}");
                "no offer".into()
            }
            Refusal::Quota { quota, .. } => {
                assert!(self.policy.quotas.contains(quota));
                "quota".into()
            }
            other => format!("{other:?}"),
        };
        *self.counts.refused.entry(name).or_default() += 1;
    }

    /// Whether a machine might run this under the rules, if it takes the label and has time.
    fn might(&self, machine: &Machine, run: &Asked) -> bool {
        let Submit { label, model, .. } = &run.submit;
        let has = |offered: &OfferedModel| {
            offered.name == *model && oracle::running(&self.policy, model, offered.hash).is_empty()
        };
        let lends = machine.up && !machine.quarantined && machine.slots > 0;
        lends && machine.models.iter().any(has) && oracle::lending(&self.policy, label, &machine.groups).is_empty()
    }

    /// After new rules: whatever they forbid has ended, as far as the relay can know.
    fn nothing_forbidden_goes_on(&self) {
        for run in self.runs.values() {
            let (by, submit) = (&self.machines[run.by], &run.submit);
            let known = by.logged_in || submit.check.is_some();
            let mut no = oracle::asking(&self.policy, &submit.label, &submit.model, &by.groups, known);
            if let Some((at, hash)) = run.stage.at() {
                let lender = &self.machines[at];
                no.extend(oracle::lending(&self.policy, &submit.label, &lender.groups));
                no.extend(oracle::running(&self.policy, &submit.model, hash));
                // Of what has begun, only the machine itself knows this for sure: it ends that when it follows.
                if !matches!(run.stage, Stage::Running(..)) {
                    no.extend(oracle::hosting(&self.policy, &submit.label, lender.tier, lender.dedicated));
                }
            }
            assert_eq!(no, [], "goes on though it may not: {run:?} under {:?}", self.policy);
        }
    }

    /// Whoever waits does so because nobody could take them now.
    pub(super) fn nobody_waits_in_vain(&mut self) {
        let held: Vec<usize> = (0..MACHINES).map(|at| self.held_at(at)).collect();
        for (id, run) in self.runs.iter().filter(|(_, run)| run.stage == Stage::Waiting) {
            self.counts.checked_for_starving += 1;
            let Some(free) = (0..MACHINES).find(|at| self.could(*at, id.0, run, held[*at])) else { continue };
            let line = self.runs.values().filter(|other| {
                let team = |at: usize| Team::of(self.machines[at].node, &self.machines[at].groups);
                other.stage == Stage::Waiting
                    && other.submit.model == run.submit.model
                    && team(other.by) == team(run.by)
            });
            if line.count() > LINE_SCAN_MAX {
                self.counts.behind_too_many += 1;
                continue;
            }
            panic!("waits in vain at {:?}: {run:?}, but {:?} is free", self.now, self.machines[free]);
        }
    }

    fn could(&self, at: usize, job: JobId, run: &Asked, held: usize) -> bool {
        let machine = &self.machines[at];
        let avoided = self.avoid.get(&job).into_iter().flatten().any(|(of, until)| *of == at && *until > self.now);
        let fits = |offered: &OfferedModel| {
            // A prompt's estimate may be twice the context: it is rough.
            offered.name == run.submit.model
                && u64::from(offered.context) * 2 >= u64::from(run.submit.prompt_tokens)
                && oracle::running(&self.policy, &offered.name, offered.hash).is_empty()
        };
        self.might(machine, run)
            && machine.surely.contains(&run.submit.label)
            && machine.paused_until <= self.now
            && held < usize::from(machine.slots)
            && run.only.is_none_or(|only| only == at)
            && !avoided
            && machine.models.iter().any(fits)
    }
}
