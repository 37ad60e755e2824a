//! What counts for everybody: handed to each node when it comes, and to all when it changes.

use bytes::Bytes;
use lull_core::scheduler::{Input, Used};
use lull_types::{Fault, NodeId};
use lull_wire::control::FromRelay;

use super::{Actor, encode};
use crate::{
    clock,
    orders::{Ruling, Standing},
};

/// How far a policy has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Following {
    /// The version that counts; 0: there is none.
    pub(crate) version: u64,
    /// Nodes that are connected.
    pub(crate) connected: usize,
    /// Those of them that follow it.
    pub(crate) following: usize,
    /// Those that cannot, and why.
    pub(crate) faults: Vec<(NodeId, Fault)>,
}

/// The frames that each node gets first.
#[derive(Debug, Default)]
pub(super) struct Words {
    version: u64,
    policy: Option<Bytes>,
    denied: Option<Bytes>,
}

impl Actor {
    /// Follows what counts from now on.
    pub(crate) fn follow(&mut self, standing: Standing) {
        let Standing { policy, revoked, denied } = standing;
        for node in revoked {
            if self.revoked.insert(node) {
                self.shut_out(node);
            }
        }
        // An empty one is what everybody begins with.
        let signed = (denied.version > 0).then(|| self.granter.deny_list(&denied)).flatten();
        if let Some(signed) = signed {
            let frame = encode(&FromRelay::Denied(signed));
            if self.words.denied.as_ref() != Some(&frame) {
                self.fabric.broadcast(frame.clone());
                self.words.denied = Some(frame);
            }
        }
        if let Some(ruling) = policy.filter(|ruling| ruling.version > self.words.version) {
            self.rule(ruling);
        }
    }

    fn rule(&mut self, ruling: Ruling) {
        let Ruling { signed, version, rules } = ruling;
        tracing::info!(version, "a new policy counts");
        let frame = encode(&FromRelay::Policy(signed));
        // First to those who check for themselves, then to the one who chooses.
        self.fabric.broadcast(frame.clone());
        (self.words.version, self.words.policy) = (version, Some(frame));
        // What was wrong with another one says nothing about this one.
        for member in self.members.values_mut() {
            member.follows.take_if(|(_, fault)| fault.is_some());
        }
        self.input(Input::Rules(rules.clone()));
        self.rules.send_replace(rules.clone());
        self.follow_checks(&rules);
    }

    /// What a node must know before anything else.
    pub(super) fn greet(&self, node: NodeId) {
        for frame in [&self.words.policy, &self.words.denied].into_iter().flatten() {
            self.fabric.send(node, frame.clone());
        }
    }

    /// A node says which policy it follows.
    pub(super) fn follows(&mut self, node: NodeId, version: u64, fault: Option<Fault>) {
        if let Some(fault) = &fault {
            tracing::warn!(%node, version, code = %fault.code, reason = fault.message, "a node cannot follow the policy");
        }
        if let Some(member) = self.members.get_mut(&node) {
            member.follows = Some((version, fault));
        }
    }

    pub(super) fn following(&self) -> Following {
        let version = self.words.version;
        let here = || self.members.iter().filter_map(|(node, member)| Some((node, member.follows.as_ref()?)));
        let following = here().filter(|(_, (has, fault))| *has >= version && fault.is_none()).count();
        let faults = here().filter_map(|(node, (_, fault))| Some((*node, fault.clone()?))).collect();
        Following { version, connected: self.members.len(), following, faults }
    }

    /// A day of quotas begins, or has begun with this use.
    pub(crate) fn day(&mut self, day: u64, used: Vec<Used>) {
        self.day = day;
        self.input(Input::Day { day, used });
    }

    /// Looks whether the day is still the same.
    pub(super) fn look_at_the_day(&mut self) {
        let today = clock::day_of(clock::now_s());
        // A clock that is set back gives nobody a day anew.
        if today > self.day {
            self.day(today, Vec::new());
        }
    }
}
