use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use lull_policy::{Denied, OrgRules};
use lull_types::{Label, ModelHash, NodeId};

use super::{CatalogueEntry, Offer, OfferedModel};
use crate::Millis;

/// The most jobs that one lender gets at once, whatever it offers: each is a stream on its connection.
pub const SLOTS_PER_NODE_MAX: u16 = 15;
/// What a lender that has measured nothing is taken to read, in prompt tokens per second.
pub const PREFILL_TPS_DEFAULT: f32 = 50.0;
/// What a lender that has measured nothing is taken to write, in tokens per second.
pub const DECODE_TPS_DEFAULT: f32 = 5.0;
/// The longest answer that is counted on in advance, in tokens: most answers are far shorter than they may be.
pub const ANSWER_ESTIMATE_MAX: u32 = 512;
/// How far a prompt's estimated length may be over a lender's context, as a factor: the estimate is rough.
const CONTEXT_SLACK: u32 = 2;
/// How many lenders of one class are looked at before the next class is.
const CANDIDATES_MAX: usize = 64;
/// Speeds are told apart in steps of 2^(1/4).
const STEPS_PER_OCTAVE: f32 = 4.0;

/// Lenders that are equally good for a model: the same speed within a step, equally loaded, and let to see the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Class {
    prefill: i16,
    decode: i16,
    /// Busy slots, in quarters of all.
    load: u8,
    sees: Sees,
}

/// The labels that a lender may see and takes, as bits in the order of [`Fleet::labels`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Sees(u64);

impl Class {
    fn of(model: &OfferedModel, member: &Member) -> Self {
        let (busy, slots) = (member.busy, member.offer.slots);
        let quarter = u32::from(busy) * 4 / u32::from(slots.max(1));
        Self {
            sees: member.sees,
            prefill: step(model.prefill_tps, PREFILL_TPS_DEFAULT),
            decode: step(model.decode_tps, DECODE_TPS_DEFAULT),
            load: u8::try_from(quarter).unwrap_or(u8::MAX),
        }
    }

    /// Seconds until a job would be answered here. A full machine is taken to be half as fast as an empty one.
    fn finish_s(self, prompt_tokens: u32, answer_tokens: u32) -> f64 {
        let speed = |step: i16| (f64::from(step) / f64::from(STEPS_PER_OCTAVE)).exp2();
        let alone = f64::from(prompt_tokens) / speed(self.prefill) + f64::from(answer_tokens) / speed(self.decode);
        alone * (1.0 + f64::from(self.load) / 4.0)
    }
}

fn step(measured: Option<f32>, default: f32) -> i16 {
    let speed = measured.filter(|speed| speed.is_finite() && *speed > 0.0).unwrap_or(default).clamp(0.01, 1e6);
    #[expect(clippy::cast_possible_truncation, reason = "clamped: at most 80 steps")]
    let step = (speed.log2() * STEPS_PER_OCTAVE).floor() as i16;
    step
}

/// How many answer tokens are counted on in advance.
pub(super) fn answer_estimate(max_tokens: u32) -> u32 {
    max_tokens.min(ANSWER_ESTIMATE_MAX)
}

/// What a job needs of a lender.
pub(super) struct Need<'a> {
    pub(super) model: &'a str,
    pub(super) label: &'a Label,
    pub(super) prompt_tokens: u32,
    pub(super) max_tokens: u32,
    /// Lenders that are not to be asked now.
    pub(super) avoid: &'a [NodeId],
    /// The one lender that may be asked at all.
    pub(super) only: Option<NodeId>,
}

#[derive(Debug)]
struct Member {
    groups: Vec<String>,
    user: String,
    /// The groups of the person who logged in there; `None`: nobody did.
    person: Option<Vec<String>>,
    offer: Offer,
    sees: Sees,
    busy: u16,
    paused_until: Option<Millis>,
    /// Where it stands in the rotation among equals.
    turn: u64,
}

impl Member {
    fn is_free(&self) -> bool {
        self.paused_until.is_none() && self.busy < self.offer.slots
    }
}

/// The nodes that are up, and an index of those that could take a job at once.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    seed: u64,
    members: BTreeMap<NodeId, Member>,
    free: BTreeMap<String, BTreeMap<Class, BTreeSet<(u64, NodeId)>>>,
    offering: BTreeMap<String, BTreeSet<NodeId>>,
    /// Per model, whose turn it is among equals.
    turns: BTreeMap<String, u64>,
    rules: Arc<OrgRules>,
    /// Every label of these rules.
    labels: Vec<Label>,
    /// Those that get no job, whether they are up or not.
    quarantined: BTreeSet<NodeId>,
}

impl Fleet {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, labels: Label::all().into(), ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn groups(&self, node: NodeId) -> Option<&[String]> {
        self.members.get(&node).map(|member| member.groups.as_slice())
    }

    pub(super) fn log_in(&mut self, node: NodeId, user: String, groups: Vec<String>) {
        if let Some(member) = self.members.get_mut(&node) {
            (member.user, member.person) = (user, Some(groups));
        }
    }

    pub(super) fn has_logged_in(&self, node: NodeId) -> bool {
        self.members.get(&node).is_some_and(|member| member.person.is_some())
    }

    /// The groups that count for quotas: the machine's, and those of whoever logged in there.
    pub(super) fn all_groups(&self, node: NodeId) -> Vec<String> {
        let Some(member) = self.members.get(&node) else { return Vec::new() };
        member.groups.iter().chain(member.person.iter().flatten()).cloned().collect()
    }

    pub(super) fn user(&self, node: NodeId) -> Option<&str> {
        self.members.get(&node).map(|member| member.user.as_str())
    }

    /// Follows new rules: who may see what is looked at again. What a label asks of a machine that only the machine
    /// knows may be new, too: until it has offered again, it gets no such job. Says which labels are still the same in
    /// this.
    pub(super) fn follow(&mut self, rules: Arc<OrgRules>) -> BTreeSet<Label> {
        let asks = |rules: &OrgRules, label: &Label| rules.labels.get(label).map(|rule| (rule.tier, rule.dedicated));
        let same =
            |label: &Label| asks(&self.rules, label).unwrap_or_default() == asks(&rules, label).unwrap_or_default();
        let labels: BTreeSet<Label> = self.labels.iter().filter(|label| same(label)).cloned().collect();
        for node in self.members.keys().copied().collect::<Vec<_>>() {
            self.change(node, |member| {
                member.sees = Sees::default();
                member.offer.labels.retain(|label| labels.contains(label));
            });
        }
        self.labels = rules.all_labels();
        self.rules = rules;
        for node in self.members.keys().copied().collect::<Vec<_>>() {
            let sees = self.seen_by(node);
            self.change(node, |member| member.sees = sees);
        }
        labels
    }

    /// Keeps a node away from jobs, or does so no longer.
    pub(super) fn quarantine(&mut self, node: NodeId, on: bool) {
        if on {
            self.quarantined.insert(node);
        } else {
            self.quarantined.remove(&node);
        }
        let sees = self.seen_by(node);
        self.change(node, |member| member.sees = sees);
    }

    fn seen_by(&self, node: NodeId) -> Sees {
        if self.quarantined.contains(&node) {
            return Sees::default();
        }
        let sees = |label: &Label| self.may_see(node, label).is_ok() && self.takes(node, label).is_ok();
        let bits = self.labels.iter().enumerate().filter(|(_, label)| sees(label)).map(|(place, _)| 1_u64 << place);
        Sees(bits.fold(0, |all, bit| all | bit))
    }

    pub(super) fn rules(&self) -> &OrgRules {
        &self.rules
    }

    /// Whether the rules let a node see a job of this label, and why not.
    pub(super) fn may_see(&self, node: NodeId, label: &Label) -> Result<(), Denied> {
        let unseen = || Denied::Lender { label: label.to_string(), groups: "no group at all".into() };
        self.rules.may_lend(label, self.groups(node).ok_or_else(unseen)?)
    }

    /// Whether some node that offers the model, free or not, may see such a job; else why one of them may not, if one
    /// offers it at all.
    pub(super) fn somewhere(&self, model: &str, label: &Label) -> Result<bool, Denied> {
        let mut denied = None;
        let offering = self.offering.get(model).into_iter().flatten();
        for node in offering.filter(|node| !self.quarantined.contains(node)) {
            let may = self.may_see(*node, label).and_then(|()| self.takes(*node, label));
            match may.and_then(|()| self.may_run(*node, model)) {
                Ok(()) => return Ok(true),
                Err(why) => denied = Some(why),
            }
        }
        denied.map_or(Ok(false), Err)
    }

    /// Whether a node has bytes under a model's name that may be used.
    fn may_run(&self, node: NodeId, model: &str) -> Result<(), Denied> {
        let offered = self.members.get(&node).into_iter().flat_map(|member| &member.offer.models);
        let mut may = Ok(());
        for offered in offered.filter(|offered| offered.name == model) {
            may = self.rules.may_run(model, &offered.hash);
            if may.is_ok() {
                break;
            }
        }
        may
    }

    /// Whether a node itself takes jobs of this label.
    fn takes(&self, node: NodeId, label: &Label) -> Result<(), Denied> {
        let member = self.members.get(&node);
        let takes = member.is_some_and(|member| member.offer.labels.contains(label));
        let tier = self.rules.labels.get(label).and_then(|rule| rule.tier);
        match (takes, tier) {
            (true, _) => Ok(()),
            (false, Some(tier)) => Err(Denied::Tier(label.to_string(), tier)),
            (false, None) => Err(Denied::Dedicated(label.to_string())),
        }
    }

    pub(super) fn join(&mut self, node: NodeId, groups: Vec<String>, user: String) {
        self.leave(node);
        let turn = mixed(self.seed, node);
        self.members.insert(
            node,
            Member {
                groups,
                user,
                person: None,
                offer: Offer::default(),
                sees: Sees::default(),
                busy: 0,
                paused_until: None,
                turn,
            },
        );
    }

    pub(super) fn leave(&mut self, node: NodeId) {
        self.unlist(node);
        if let Some(member) = self.members.remove(&node) {
            self.unindex(node, &member);
        }
    }

    /// Replaces an offer; false if the node is not up.
    pub(super) fn offer(&mut self, node: NodeId, mut offer: Offer) -> bool {
        if !self.members.contains_key(&node) {
            return false;
        }
        offer.slots = offer.slots.min(SLOTS_PER_NODE_MAX);
        self.unlist(node);
        if offer.slots > 0 {
            for model in &offer.models {
                self.offering.entry(model.name.clone()).or_default().insert(node);
            }
        }
        self.change(node, |member| member.offer = offer);
        let sees = self.seen_by(node);
        self.change(node, |member| member.sees = sees);
        true
    }

    fn unlist(&mut self, node: NodeId) {
        let Some(member) = self.members.get(&node) else { return };
        for model in &member.offer.models {
            if let Some(nodes) = self.offering.get_mut(&model.name) {
                nodes.remove(&node);
                if nodes.is_empty() {
                    self.offering.remove(&model.name);
                }
            }
        }
    }

    /// Whether any node offers the model, free or not.
    pub(super) fn offers(&self, model: &str) -> bool {
        self.offering.contains_key(model)
    }

    /// Whether the prompt is surely too long for every node that offers the model.
    pub(super) fn too_long(&self, model: &str, prompt_tokens: u32) -> bool {
        self.offering.get(model).is_some_and(|nodes| {
            nodes.iter().all(|node| self.offered(*node, model).is_none_or(|offered| !fits(offered, prompt_tokens)))
        })
    }

    pub(super) fn has_free(&self, model: &str) -> bool {
        self.free.contains_key(model)
    }

    pub(super) fn models_of(&self, node: NodeId) -> Vec<String> {
        let Some(member) = self.members.get(&node) else { return Vec::new() };
        member.offer.models.iter().map(|model| model.name.clone()).collect()
    }

    pub(super) fn take_slot(&mut self, node: NodeId) {
        self.change(node, |member| member.busy += 1);
    }

    pub(super) fn free_slot(&mut self, node: NodeId) {
        self.change(node, |member| member.busy = member.busy.saturating_sub(1));
    }

    pub(super) fn pause(&mut self, node: NodeId, until: Millis) {
        self.change(node, |member| member.paused_until = Some(until));
    }

    /// Ends a pause that is over; false if there is none or it goes on.
    pub(super) fn resume(&mut self, now: Millis, node: NodeId) -> bool {
        let over = self.members.get(&node).and_then(|member| member.paused_until).is_some_and(|until| until <= now);
        if over {
            self.change(node, |member| member.paused_until = None);
        }
        over
    }

    /// The lender with the least expected finish, equals in turn. Only lenders with a free slot are compared: their
    /// own queues are empty by construction, since jobs wait here and not there.
    pub(super) fn choose(&mut self, need: &Need<'_>) -> Option<(NodeId, ModelHash)> {
        let answer_tokens = answer_estimate(need.max_tokens);
        if let Some(only) = need.only {
            return self.only(only, need);
        }
        let bit = 1_u64 << self.labels.iter().position(|label| label == need.label)?;
        let mut classes: Vec<(f64, Class)> = self
            .free
            .get(need.model)?
            .keys()
            .filter(|class| class.sees.0 & bit != 0)
            .map(|class| (class.finish_s(need.prompt_tokens, answer_tokens), *class))
            .collect();
        while !classes.is_empty() {
            let (at, _) =
                classes.iter().enumerate().min_by(|(_, a), (_, b)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))?;
            let (_, class) = classes.swap_remove(at);
            if let Some((turn, node, hash)) = self.next_in(class, need) {
                self.turns.insert(need.model.to_owned(), turn.wrapping_add(1));
                return Some((node, hash));
            }
        }
        None
    }

    /// One lender, if it could take the job at once.
    fn only(&self, node: NodeId, need: &Need<'_>) -> Option<(NodeId, ModelHash)> {
        let bit = 1_u64 << self.labels.iter().position(|label| label == need.label)?;
        let member = self.members.get(&node).filter(|member| member.is_free() && member.sees.0 & bit != 0)?;
        let offered = self.usable(member, need)?;
        (!need.avoid.contains(&node)).then_some((node, offered.hash))
    }

    fn next_in(&self, class: Class, need: &Need<'_>) -> Option<(u64, NodeId, ModelHash)> {
        let equals = self.free.get(need.model)?.get(&class)?;
        let start = (self.turns.get(need.model).copied().unwrap_or(0), NodeId([0; 16]));
        let candidates = equals.range(start..).chain(equals.range(..start));
        candidates.take(CANDIDATES_MAX).find_map(|&(turn, node)| {
            let offered = self.usable(self.members.get(&node)?, need)?;
            (!need.avoid.contains(&node)).then_some((turn, node, offered.hash))
        })
    }

    /// What a node has under the model's name that may be used and that the prompt fits: one name can stand for several
    /// bytes there.
    fn usable<'a>(&self, member: &'a Member, need: &Need<'_>) -> Option<&'a OfferedModel> {
        member.offer.models.iter().find(|offered| {
            offered.name == need.model
                && fits(offered, need.prompt_tokens)
                && self.rules.may_run(need.model, &offered.hash).is_ok()
        })
    }

    fn offered(&self, node: NodeId, model: &str) -> Option<&OfferedModel> {
        self.members.get(&node)?.offer.models.iter().find(|offered| offered.name == model)
    }

    /// All models offered now, by name.
    pub(super) fn catalogue(&self) -> Vec<CatalogueEntry> {
        self.offering
            .iter()
            .map(|(name, nodes)| {
                let offered: Vec<_> = nodes.iter().filter_map(|node| self.offered(*node, name)).collect();
                let fastest = offered.iter().filter_map(|model| model.decode_tps).filter(|tps| tps.is_finite());
                CatalogueEntry {
                    name: name.clone(),
                    hash: offered.first().map(|model| model.hash),
                    lenders: u32::try_from(nodes.len()).unwrap_or(u32::MAX),
                    context: offered.iter().map(|model| model.context).max(),
                    decode_tps: fastest.max_by(f32::total_cmp),
                }
            })
            .collect()
    }

    /// Changes a member and keeps the index right.
    fn change(&mut self, node: NodeId, change: impl FnOnce(&mut Member)) {
        let Some(mut member) = self.members.remove(&node) else { return };
        self.unindex(node, &member);
        change(&mut member);
        if member.is_free() {
            for model in &member.offer.models {
                if self.rules.may_run(&model.name, &model.hash).is_err() {
                    continue;
                }
                let class = Class::of(model, &member);
                let classes = self.free.entry(model.name.clone()).or_default();
                classes.entry(class).or_default().insert((member.turn, node));
            }
        }
        self.members.insert(node, member);
    }

    fn unindex(&mut self, node: NodeId, member: &Member) {
        if !member.is_free() {
            return;
        }
        for model in &member.offer.models {
            let class = Class::of(model, member);
            let Some(classes) = self.free.get_mut(&model.name) else { continue };
            if let Some(equals) = classes.get_mut(&class) {
                equals.remove(&(member.turn, node));
                if equals.is_empty() {
                    classes.remove(&class);
                }
            }
            if classes.is_empty() {
                self.free.remove(&model.name);
            }
        }
    }
}

fn fits(offered: &OfferedModel, prompt_tokens: u32) -> bool {
    offered.context.saturating_mul(CONTEXT_SLACK) >= prompt_tokens
}

/// A number that depends on seed and node alone and looks random (splitmix64).
fn mixed(seed: u64, node: NodeId) -> u64 {
    node.0.chunks(8).fold(seed, |sum, part| {
        let part = part.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        let mut z = sum.wrapping_add(part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}
