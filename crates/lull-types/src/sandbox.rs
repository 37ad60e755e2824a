use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

/// One thing that stands between a worker and the machine it runs on. A worker reports those it has put up itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Layer {
    /// Bounds on memory, file size, open files, locked memory and dumps.
    Limits,
    /// No environment, and no open file but the pipe to its node.
    Descriptors,
    /// Nothing it might start could gain rights.
    NoNewPrivileges,
    /// Its memory is neither dumped nor open to programs of the same user.
    NoDump,
    /// No capability, not even within namespaces of its own.
    NoCapabilities,
    /// A root folder of its own that holds its model and nothing else.
    OwnRoot,
    /// A network of its own, without a way out.
    OwnNetwork,
    /// Shared memory and message queues of its own.
    OwnIpc,
    /// It may read its model, and after loading no file at all (Landlock, AppContainer, Seatbelt).
    Files,
    /// No TCP port (Landlock 4).
    Ports,
    /// No signal to others, no abstract socket of others (Landlock 6).
    Scope,
    /// Before the first byte of a model: only harmless system calls.
    LoadFilter,
    /// After loading: still fewer, and no opening of files.
    RunFilter,
}

/// The layers of one worker.
pub type Layers = BTreeSet<Layer>;

/// How well a worker is confined. Each tier holds all layers of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Filters on system calls and files, without namespaces: where the system does not let people have those.
    Basic,
    /// Everything, with root folder, network and shared memory of its own.
    Full,
}

/// A layer that could not be put up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Shortfall {
    /// Which.
    pub layer: Layer,
    /// Why, and what to change on this machine, in words.
    pub why: String,
}

impl Layer {
    /// Every layer there is.
    pub const ALL: [Self; 13] = [
        Self::Limits,
        Self::Descriptors,
        Self::NoNewPrivileges,
        Self::NoDump,
        Self::NoCapabilities,
        Self::OwnRoot,
        Self::OwnNetwork,
        Self::OwnIpc,
        Self::Files,
        Self::Ports,
        Self::Scope,
        Self::LoadFilter,
        Self::RunFilter,
    ];

    /// What it is called in settings, logs and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Limits => "limits",
            Self::Descriptors => "descriptors",
            Self::NoNewPrivileges => "no_new_privileges",
            Self::NoDump => "no_dump",
            Self::NoCapabilities => "no_capabilities",
            Self::OwnRoot => "own_root",
            Self::OwnNetwork => "own_network",
            Self::OwnIpc => "own_ipc",
            Self::Files => "files",
            Self::Ports => "ports",
            Self::Scope => "scope",
            Self::LoadFilter => "load_filter",
            Self::RunFilter => "run_filter",
        }
    }

    /// The layer of that name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layer| layer.name() == name)
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Tier {
    /// Every tier, the weakest first.
    pub const ALL: [Self; 2] = [Self::Basic, Self::Full];

    /// The layers that it takes. [`Layer::Ports`] and [`Layer::Scope`] need newer kernels than many people have, and
    /// only double what the filters do: no tier asks for them.
    #[must_use]
    pub const fn layers(self) -> &'static [Layer] {
        use Layer::{
            Descriptors, Files, Limits, LoadFilter, NoCapabilities, NoDump, NoNewPrivileges, OwnIpc, OwnNetwork,
            OwnRoot, RunFilter,
        };
        match self {
            Self::Basic => {
                &[Limits, Descriptors, NoNewPrivileges, NoDump, NoCapabilities, Files, LoadFilter, RunFilter]
            }
            Self::Full => &[
                Limits,
                Descriptors,
                NoNewPrivileges,
                NoDump,
                NoCapabilities,
                Files,
                LoadFilter,
                RunFilter,
                OwnRoot,
                OwnNetwork,
                OwnIpc,
            ],
        }
    }

    /// The best tier that these layers make, if they make one.
    #[must_use]
    pub fn of(layers: &Layers) -> Option<Self> {
        Self::ALL.into_iter().rev().find(|tier| tier.missing_in(layers).is_empty())
    }

    /// The layers of this tier that are not there.
    #[must_use]
    pub fn missing_in(self, layers: &Layers) -> Layers {
        self.layers().iter().filter(|layer| !layers.contains(layer)).copied().collect()
    }

    /// What it is called in settings, policy and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Full => "full",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_with_one_layer_less_is_not_that_tier() {
        for tier in Tier::ALL {
            let all: Layers = tier.layers().iter().copied().collect();
            assert_eq!(Tier::of(&all), Some(tier));
            for layer in tier.layers() {
                let mut less = all.clone();
                less.remove(layer);
                assert!(Tier::of(&less) < Some(tier), "{tier} without {layer}");
                assert_eq!(tier.missing_in(&less), Layers::from([*layer]));
            }
        }
        assert_eq!(Tier::of(&Layers::new()), None);
    }

    #[test]
    fn names_are_those_of_json() {
        for layer in Layer::ALL {
            assert_eq!(serde_json::to_string(&layer).unwrap(), format!("\"{layer}\""));
            assert_eq!(Layer::of_name(layer.name()), Some(layer));
        }
    }
}
