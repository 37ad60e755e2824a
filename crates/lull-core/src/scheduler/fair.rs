use std::collections::BTreeMap;

use lull_types::NodeId;

/// What one prompt token costs a team.
pub const PROMPT_WEIGHT: u64 = 1;
/// What one answer token costs a team.
pub const ANSWER_WEIGHT: u64 = 2;

/// Who shares: a group, or a node that is in none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Team {
    /// A group's members together.
    Group(String),
    /// One node alone.
    Node(NodeId),
}

impl Team {
    /// The team of a node: its first group, or itself.
    #[must_use]
    pub fn of(node: NodeId, groups: &[String]) -> Self {
        groups.first().map_or(Self::Node(node), |group| Self::Group(group.clone()))
    }
}

impl std::fmt::Display for Team {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Group(group) => group.fmt(f),
            Self::Node(node) => node.fmt(f),
        }
    }
}

/// What a run costs.
pub(super) fn cost(prompt_tokens: u32, answer_tokens: u32) -> u64 {
    u64::from(prompt_tokens) * PROMPT_WEIGHT + u64::from(answer_tokens) * ANSWER_WEIGHT
}

/// Virtual token counters (arXiv 2401.00588): the team that has had least goes first, and nobody saves up by idling.
#[derive(Debug)]
pub(super) struct Fair {
    teams: BTreeMap<Team, Account>,
    /// The counter of the team that stopped waiting last: where the first of a new rush starts.
    floor: u64,
    prune_at: usize,
}

/// Teams that are not worth looking through for ones to forget.
const TEAMS_KEPT: usize = 256;

impl Default for Fair {
    fn default() -> Self {
        Self { teams: BTreeMap::new(), floor: 0, prune_at: TEAMS_KEPT }
    }
}

#[derive(Debug, Default)]
struct Account {
    counter: u64,
    waiting: usize,
}

impl Fair {
    pub(super) fn counter(&self, team: &Team) -> u64 {
        self.teams.get(team).map_or(0, |account| account.counter)
    }

    /// One more job of `team` waits. A team that was away is lifted to the least of those that wait.
    pub(super) fn joined(&mut self, team: &Team) {
        let least = self.teams.values().filter(|account| account.waiting > 0).map(|account| account.counter).min();
        let lift = least.unwrap_or(self.floor);
        let account = self.teams.entry(team.clone()).or_default();
        if account.waiting == 0 {
            account.counter = account.counter.max(lift);
        }
        account.waiting += 1;
    }

    /// One job of `team` waits no longer.
    pub(super) fn left(&mut self, team: &Team) {
        if let Some(account) = self.teams.get_mut(team) {
            account.waiting = account.waiting.saturating_sub(1);
            if account.waiting == 0 {
                self.floor = self.floor.max(account.counter);
            }
        }
    }

    /// Replaces an earlier charge by a better one.
    pub(super) fn recharge(&mut self, team: &Team, before: u64, after: u64) {
        if let Some(account) = self.teams.get_mut(team) {
            account.counter = account.counter.saturating_sub(before).saturating_add(after);
        }
    }

    /// Now and then forgets teams that a return would lift above what they have anyway.
    pub(super) fn prune(&mut self) {
        if self.teams.len() < self.prune_at {
            return;
        }
        let least = self.teams.values().filter(|account| account.waiting > 0).map(|account| account.counter).min();
        let lift = least.unwrap_or(self.floor);
        self.teams.retain(|_, account| account.waiting > 0 || account.counter > lift);
        self.prune_at = (self.teams.len() * 2).max(TEAMS_KEPT);
    }

    pub(super) fn len(&self) -> usize {
        self.teams.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_team_that_was_away_does_not_save_up() {
        let (a, b) = (Team::Group("a".into()), Team::Group("b".into()));
        let mut fair = Fair::default();
        fair.joined(&a);
        fair.recharge(&a, 0, 500);
        fair.joined(&b);
        assert_eq!(fair.counter(&b), 500);
        fair.left(&a);
        fair.left(&b);
        fair.prune_at = 0;
        fair.prune();
        assert_eq!(fair.len(), 0);
        fair.joined(&a);
        assert_eq!(fair.counter(&a), 500);
    }
}
