//! Random organisations, policies and jobs: nothing runs where it may not, by the relay's decision and, with a relay
//! that lies, by the lender's and the asker's own. What may be is said here once more, in plain set words, by an oracle
//! that shares no code with the rules.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use lull_policy::{Here, LabelRule, ModelRules, OrgRules, Wanted};
use lull_types::{Code, Epoch, JobId, Label, ModelHash, NodeId, Tier, Usage};

use super::super::*;
use crate::Millis;

const NODES: usize = 14;
const STORIES: u64 = 250;
const JOBS_A_STORY: usize = 420;

/// splitmix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    fn one_in(&mut self, sides: usize) -> bool {
        self.below(sides) == 0
    }

    fn some(&mut self, of: &[&str], most: usize) -> BTreeSet<String> {
        (0..self.below(most + 1)).map(|_| of[self.below(of.len())].to_owned()).collect()
    }
}

const GROUPS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const SITES: [&str; 3] = ["north", "south", "west"];
const LABELS: [&str; 6] = ["public", "internal", "confidential", "red", "blue", "green"];
const MODELS: [&str; 3] = ["m", "n", "o"];

fn policy(dice: &mut Dice) -> OrgRules {
    let mut org = OrgRules::default();
    for label in LABELS {
        if dice.one_in(3) {
            continue;
        }
        let names = |dice: &mut Dice, of: &[&str]| dice.one_in(2).then(|| dice.some(of, 3));
        let rule = LabelRule {
            lenders: names(dice, &GROUPS),
            askers: if dice.one_in(2) { names(dice, &GROUPS) } else { None },
            sites: if dice.one_in(2) { names(dice, &SITES) } else { None },
            tier: [None, Some(Tier::Basic), Some(Tier::Full)][dice.below(3)],
            dedicated: [None, Some(false), Some(true)][dice.below(3)],
        };
        org.labels.insert(label.parse().unwrap(), rule);
    }
    for site in SITES {
        org.sites.insert(site.to_owned(), dice.some(&GROUPS, 2));
    }
    let allow = dice.one_in(3).then(|| dice.some(&MODELS, 3));
    let bytes = if dice.one_in(3) { [("m".to_owned(), ModelHash([1; 32]))].into() } else { BTreeMap::new() };
    org.models = ModelRules { allow, bytes };
    org.users = dice.one_in(4).then(|| dice.some(&GROUPS, 4));
    org
}

#[derive(Clone)]
struct Fact {
    groups: Vec<String>,
    tier: Option<Tier>,
    dedicated: bool,
    models: BTreeMap<&'static str, ModelHash>,
}

fn fact(dice: &mut Dice) -> Fact {
    let mut models = BTreeMap::new();
    for name in MODELS {
        if !dice.one_in(3) {
            models.insert(name, ModelHash([1 + dice.below(2) as u8; 32]));
        }
    }
    Fact {
        models,
        groups: dice.some(&GROUPS, 3).into_iter().collect(),
        tier: [None, Some(Tier::Basic), Some(Tier::Full)][dice.below(3)],
        dedicated: dice.one_in(2),
    }
}

// ---- the oracle: from the words of `OrgRules`, with nothing of its code ----

fn in_some(of: Option<&BTreeSet<String>>, groups: &[String]) -> bool {
    match of {
        None => true,
        Some(of) => groups.iter().filter(|group| of.contains(*group)).count() > 0,
    }
}

fn asker_may(org: &OrgRules, groups: &[String], label: &Label, model: &str) -> bool {
    let exists = ["public", "internal", "confidential"].contains(&label.as_str()) || org.labels.contains_key(label);
    let askers = org.labels.get(label).and_then(|rule| rule.askers.as_ref());
    let allowed = org.models.allow.as_ref().is_none_or(|allow| allow.iter().any(|name| name == model));
    exists && in_some(org.users.as_ref(), groups) && in_some(askers, groups) && allowed
}

fn groups_may(org: &OrgRules, groups: &[String], label: &Label) -> bool {
    let Some(rule) = org.labels.get(label) else { return true };
    let mut at: Vec<&String> = Vec::new();
    for (site, of) in &org.sites {
        if groups.iter().any(|group| of.contains(group)) {
            at.push(site);
        }
    }
    let sited = match &rule.sites {
        None => true,
        Some(sites) => at.len() == 1 && sites.contains(at[0]),
    };
    in_some(rule.lenders.as_ref(), groups) && sited
}

fn lender_may(org: &OrgRules, lender: &Fact, label: &Label, model: &str, hash: ModelHash) -> bool {
    let rule = org.labels.get(label).cloned().unwrap_or_default();
    let tier = match (rule.tier, lender.tier) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wanted), Some(has)) => !(wanted == Tier::Full && has == Tier::Basic),
    };
    let dedicated = rule.dedicated != Some(true) || lender.dedicated;
    let bytes = org.models.bytes.get(model).is_none_or(|pinned| *pinned == hash);
    groups_may(org, &lender.groups, label) && tier && dedicated && bytes
}

// ---- the world ----

type RunId = (JobId, Epoch);

#[derive(Debug, Clone)]
struct Held {
    submitter: usize,
    lender: usize,
    label: Label,
    model: String,
    granted: bool,
}

#[derive(Debug, Default)]
struct Counts {
    jobs: usize,
    reserved: usize,
    granted: usize,
    refused: BTreeMap<&'static str, usize>,
    taken_back: usize,
    /// Of random choices of a lender, those that were forbidden.
    lies: usize,
    forbidden_lies: usize,
    sealed_to_nobody: usize,
}

struct World {
    scheduler: Scheduler,
    now: Millis,
    rules: Arc<OrgRules>,
    facts: Vec<Fact>,
    held: BTreeMap<RunId, Held>,
    asked: BTreeMap<RunId, (usize, Submit)>,
    counts: Counts,
}

fn id(of: usize) -> NodeId {
    NodeId([of as u8 + 1; 16])
}

fn place(node: NodeId) -> usize {
    usize::from(node.0[0]) - 1
}

impl World {
    fn new(dice: &mut Dice) -> Self {
        let facts: Vec<Fact> = (0..NODES).map(|_| fact(dice)).collect();
        let scheduler = Scheduler::new(dice.0, MODELS.map(str::to_owned));
        let rules = Arc::new(OrgRules::default());
        let (held, asked) = (BTreeMap::new(), BTreeMap::new());
        let mut world = Self { scheduler, now: Millis(0), rules, facts, held, asked, counts: Counts::default() };
        for node in 0..NODES {
            let groups = world.facts[node].groups.clone();
            world.step(Input::NodeUp { node: id(node), groups, user: node.to_string() });
        }
        world.follow(policy(dice));
        world
    }

    /// The relay hears of new rules first, then each node offers what it takes by them.
    fn follow(&mut self, rules: OrgRules) {
        self.rules = Arc::new(rules);
        self.step(Input::Rules(self.rules.clone()));
        for (run, held) in &self.held {
            let asker = &self.facts[held.submitter].groups;
            assert!(
                asker_may(&self.rules, asker, &held.label, &held.model),
                "{run:?} goes on for who may not ask: {held:?}, {asker:?}, {:?}",
                self.rules
            );
            let lender = &self.facts[held.lender].groups;
            assert!(groups_may(&self.rules, lender, &held.label), "{run:?} goes on where it may not");
        }
        for node in 0..NODES {
            self.offer(node);
        }
    }

    fn offer(&mut self, node: usize) {
        let Fact { groups, tier, dedicated, models } = self.facts[node].clone();
        let takes = |label: &Label| self.rules.may_lend_here(label, &groups, tier, dedicated).is_ok();
        let labels = self.rules.all_labels().into_iter().filter(takes).collect();
        let models = models.into_iter().map(|(name, hash)| OfferedModel {
            name: name.into(),
            hash,
            context: 4_096,
            decode_tps: None,
            prefill_tps: None,
        });
        self.step(Input::Offer { node: id(node), offer: Offer { models: models.collect(), slots: 2, labels } });
    }

    fn step(&mut self, input: Input) {
        let is_rules = matches!(input, Input::Rules(_));
        for output in self.scheduler.handle(self.now, input) {
            match output {
                Output::Reserve(reserve) => self.reserved(&reserve),
                Output::Grant(granted) => {
                    self.counts.granted += 1;
                    let run = (granted.submit.job, granted.submit.epoch);
                    let held = self.held.get_mut(&run).expect("granted what was reserved");
                    held.granted = true;
                    let lender = held.lender;
                    assert_eq!(lender, place(granted.lender));
                    self.check(place(granted.submitter), lender, &granted.submit, granted.model);
                }
                Output::Refused { job, epoch, why, .. } => {
                    let name = match why {
                        Refusal::Denied(_) => "denied",
                        Refusal::LabelNowhere(_) => "nowhere",
                        Refusal::NoOffer => "no offer",
                        Refusal::Busy => "busy",
                        _ => "other",
                    };
                    *self.counts.refused.entry(name).or_default() += 1;
                    self.held.remove(&(job, epoch));
                    self.asked.remove(&(job, epoch));
                }
                Output::Release { job, epoch, .. } => {
                    self.counts.taken_back += usize::from(is_rules);
                    let held = self.held.remove(&(job, epoch));
                    // Whoever was granted it hears when they open it, and asks again with another run.
                    if held.is_some_and(|held| held.granted) {
                        self.asked.remove(&(job, epoch));
                    }
                }
                Output::Cut { job, epoch, .. } => {
                    self.counts.taken_back += usize::from(is_rules);
                    self.held.remove(&(job, epoch));
                    self.asked.remove(&(job, epoch));
                }
                Output::Queued { .. } | Output::Learned { .. } => {}
            }
        }
    }

    fn check(&self, submitter: usize, lender: usize, submit: &Submit, hash: ModelHash) {
        let (asker, lender) = (&self.facts[submitter], &self.facts[lender]);
        let may = asker_may(&self.rules, &asker.groups, &submit.label, &submit.model)
            && lender_may(&self.rules, lender, &submit.label, &submit.model, hash);
        assert!(may, "{submit:?} went where it may not: {:?}, {:?}", lender.groups, self.rules);
    }

    fn reserved(&mut self, reserve: &Reserve) {
        self.counts.reserved += 1;
        let (submitter, lender, submit) = (place(reserve.submitter), place(reserve.lender), reserve.submit.clone());
        self.check(submitter, lender, &submit, reserve.model);
        let held = Held { submitter, lender, label: submit.label.clone(), model: submit.model.clone(), granted: false };
        self.held.insert((submit.job, submit.epoch), held);
    }

    /// A relay that lies sends a job to anybody. The lender decides for itself, and so does whoever asks.
    fn lie(&mut self, dice: &mut Dice, submitter: usize, submit: &Submit) {
        let (asker, lender) = (&self.facts[submitter], &self.facts[dice.below(NODES)]);
        let Some(hash) = lender.models.get(submit.model.as_str()) else { return };
        let rules = &self.rules;
        let asked = asker_may(rules, &asker.groups, &submit.label, &submit.model);
        let may = asked && lender_may(rules, lender, &submit.label, &submit.model, *hash);
        let here = Here { groups: &lender.groups, tier: lender.tier, dedicated: lender.dedicated };
        let (label, model) = (&submit.label, submit.model.as_str());
        let wanted = Wanted { label, model, hash, asker: Some(&asker.groups) };
        assert_eq!(rules.may_serve(here, wanted).is_ok(), may, "the lender: {submit:?} {:?} {rules:?}", lender.groups);
        let sealed = rules.may_ask(label, model, &asker.groups).is_ok()
            && rules.may_lend(label, &lender.groups).is_ok()
            && rules.may_run(model, hash).is_ok();
        let bytes = rules.models.bytes.get(model).is_none_or(|pinned| pinned == hash);
        assert_eq!(sealed, asked && groups_may(rules, &lender.groups, label) && bytes, "the asker: {submit:?}");
        self.counts.lies += 1;
        self.counts.forbidden_lies += usize::from(!may);
        self.counts.sealed_to_nobody += usize::from(!sealed);
    }

    fn submit(&mut self, dice: &mut Dice, number: usize) {
        let submitter = dice.below(NODES);
        let submit = Submit {
            job: JobId((number as u128 + 1).to_le_bytes()),
            epoch: Epoch::FIRST,
            model: MODELS[dice.below(MODELS.len())].into(),
            label: LABELS[dice.below(LABELS.len())].parse().unwrap(),
            prompt_tokens: 10,
            max_tokens: 10,
            submitter_key: [0; 32],
            check: None,
        };
        self.lie(dice, submitter, &submit);
        self.counts.jobs += 1;
        self.asked.insert((submit.job, submit.epoch), (submitter, submit.clone()));
        self.step(Input::Submit { submitter: id(submitter), submit });
    }

    /// Something happens to a run that is held: accepted, declined, opened and over, given up, its lender lost.
    fn happen(&mut self, dice: &mut Dice) {
        let Some((&(job, epoch), held)) = self.held.iter().nth(dice.below(self.held.len().max(1))) else { return };
        let (node, submitter) = (id(held.lender), id(held.submitter));
        match dice.below(8) {
            // A second word on what was granted changes nothing.
            0 if !held.granted => {
                self.held.remove(&(job, epoch));
                self.step(Input::Declined { node, job, epoch, code: Code::Busy });
            }
            1 => {
                self.asked.remove(&(job, epoch));
                self.step(Input::Cancel { submitter, job });
            }
            2..=4 => self.step(Input::Accepted { node, job, epoch, nonce: [0; 16] }),
            _ => {
                if self.scheduler.open(self.now, submitter, job, epoch).is_ok() && !dice.one_in(3) {
                    self.over((job, epoch));
                }
            }
        }
    }

    fn over(&mut self, (job, epoch): RunId) {
        self.step(Input::Finished { job, epoch, lender_lost: false });
        self.step(Input::Settled { job, epoch, usage: Usage::default() });
        self.held.remove(&(job, epoch));
        self.asked.remove(&(job, epoch));
    }

    /// Nobody waits who could have a lender: everything that runs ends, and then only what nobody may see is left.
    fn quiet(&mut self) {
        // As long as a lender that has declined is not asked again, and a bit more.
        for _ in 0..10 {
            self.now = self.now.plus(600);
            self.step(Input::Tick);
            while let Some((&run, held)) = self.held.iter().next() {
                let (node, submitter) = (id(held.lender), id(held.submitter));
                self.step(Input::Accepted { node, job: run.0, epoch: run.1, nonce: [0; 16] });
                let _ = self.scheduler.open(self.now, submitter, run.0, run.1);
                self.over(run);
            }
        }
        assert!(self.held.is_empty());
        for (submitter, submit) in self.asked.values() {
            let may = self.facts.iter().any(|lender| {
                let hash = lender.models.get(submit.model.as_str());
                hash.is_some_and(|hash| lender_may(&self.rules, lender, &submit.label, &submit.model, *hash))
            });
            let asker = &self.facts[*submitter].groups;
            assert!(
                !may || !asker_may(&self.rules, asker, &submit.label, &submit.model),
                "{submit:?} waits for nothing"
            );
        }
    }
}

#[test]
fn a_hundred_thousand_jobs_run_only_where_they_may() {
    let mut all = Counts::default();
    for seed in 0..STORIES {
        let mut dice = Dice(seed);
        let mut world = World::new(&mut dice);
        for number in 0..JOBS_A_STORY {
            world.now = world.now.plus(dice.below(40) as u64);
            world.submit(&mut dice, number);
            for _ in 0..3 {
                world.happen(&mut dice);
            }
            if dice.one_in(60) {
                let rules = policy(&mut dice);
                world.follow(rules);
            }
        }
        world.quiet();
        let counts = world.counts;
        all.jobs += counts.jobs;
        all.reserved += counts.reserved;
        all.granted += counts.granted;
        all.taken_back += counts.taken_back;
        all.lies += counts.lies;
        all.forbidden_lies += counts.forbidden_lies;
        all.sealed_to_nobody += counts.sealed_to_nobody;
        for (why, count) in counts.refused {
            *all.refused.entry(why).or_default() += count;
        }
    }
    println!("{all:?}");
    assert!(all.jobs >= 100_000 && all.granted > 10_000 && all.taken_back > 1_000, "{all:?}");
    assert!(all.refused["denied"] > 10_000, "{all:?}");
    assert!(all.forbidden_lies > 30_000 && all.sealed_to_nobody > 20_000, "{all:?}");
}
