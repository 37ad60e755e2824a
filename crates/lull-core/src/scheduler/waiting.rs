use std::collections::BTreeMap;

use lull_types::{Epoch, JobId};

use super::fair::Team;

/// A job's place: the order in which jobs came, kept when a lender declines.
pub(super) type Place = u64;

type Line = BTreeMap<Place, (JobId, Epoch)>;

/// The jobs that wait: per model and team, first come first served.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    lines: BTreeMap<String, BTreeMap<Team, Line>>,
    len: usize,
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many wait for this model.
    pub(super) fn len_of(&self, model: &str) -> usize {
        self.lines.get(model).map_or(0, |teams| teams.values().map(BTreeMap::len).sum())
    }

    pub(super) fn push(&mut self, model: &str, team: &Team, place: Place, run: (JobId, Epoch)) {
        let teams = self.lines.entry(model.to_owned()).or_default();
        if teams.entry(team.clone()).or_default().insert(place, run).is_none() {
            self.len += 1;
        }
    }

    /// Takes a run out of its line; false if it was not there.
    pub(super) fn remove(&mut self, model: &str, team: &Team, place: Place) -> bool {
        let Some(teams) = self.lines.get_mut(model) else { return false };
        let Some(line) = teams.get_mut(team) else { return false };
        let found = line.remove(&place).is_some();
        if line.is_empty() {
            teams.remove(team);
        }
        if teams.is_empty() {
            self.lines.remove(model);
        }
        self.len -= usize::from(found);
        found
    }

    /// The teams that wait for a model.
    pub(super) fn teams(&self, model: &str) -> impl Iterator<Item = &Team> {
        self.lines.get(model).into_iter().flat_map(BTreeMap::keys)
    }

    /// The first runs in a team's line.
    pub(super) fn line(&self, model: &str, team: &Team) -> impl Iterator<Item = (JobId, Epoch)> {
        self.lines.get(model).and_then(|teams| teams.get(team)).into_iter().flat_map(|line| line.values().copied())
    }
}
