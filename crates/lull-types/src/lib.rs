//! The words every part of Lull shares: ids, labels, error codes, what is asked of a model and the door's types.
//! It must never know a clock, a socket, a file or an engine.

mod code;
mod door;
mod generate;
mod ids;
mod label;
mod lending;
mod own;
mod presence;
mod rule;
mod sandbox;

pub use code::{Code, Fault};
pub use door::{
    Answered, ChatEvent, ChatRequest, Event, Finding, Health, JobTimings, LinkView, ModelPlace, ModelView, PersonView,
    Request, Response, SandboxReport, SandboxView, StatusView, WorkerState, WorkerView,
};
pub use generate::{FinishReason, Message, Role, Sampling, Token, TokenLogprob, Usage};
pub use ids::{Epoch, JobId, ModelHash, NodeId, ParseIdError, Pseudonym};
pub use label::{Label, LabelError};
pub use lending::{LendingView, Pause, RanHere, Reason, Until};
pub use own::{AddingView, KeyView, Page, Prefs, Stored, StoredView, UsedDay};
pub use presence::{Observation, Reading, Signal, Source};
pub use rule::{
    Control, LabelView, OrgRuleView, PolicyView, RuleSaid, RuleSource, RuleUnit, RuleValue, RuleView, RulesView,
};
pub use sandbox::{Layer, Layers, Shortfall, Tier};
