use serde::{Deserialize, Serialize};

use crate::{
    AddingView, Fault, FinishReason, JobId, KeyView, Label, Layers, LendingView, Message, ModelHash, NodeId, Page,
    Pause, Prefs, RanHere, RuleValue, RulesView, Sampling, Shortfall, StoredView, Tier, Token, Usage, UsedDay,
};

/// What can be asked of a running node. A chat is asked with [`ChatRequest`], which has a channel of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "call", rename_all = "snake_case")]
pub enum Request {
    /// What the node is and does now.
    Status,
    /// Every model known here or in the pool.
    Models,
    /// Look at the model store again: another process changed it.
    Rescan,
    /// Leave politely: finish nothing, lose nothing, exit.
    Stop,
    /// Its owner agrees to lend, or does not any more. Kept across restarts.
    Lend {
        /// Which.
        on: bool,
    },
    /// Give the machine back and do not lend for a while. Kept across restarts; no policy can refuse it.
    Pause {
        /// For how long.
        pause: Pause,
        /// Let the jobs that run now end first.
        finish: bool,
    },
    /// Ends a pause.
    Resume,
    /// What ran here, newest first.
    Log {
        /// At most so many.
        limit: u32,
        /// Only those whose place in the log is below this one: how to page on.
        #[serde(default)]
        before: Option<u64>,
    },
    /// Forget what ran here.
    EraseLog,
    /// Make this machine one of an organisation. For a machine that has none.
    Join {
        /// The invitation.
        token: String,
        /// What to call this machine; its own name if not said.
        name: Option<String>,
    },
    /// Every rule that counts here.
    Rules,
    /// Change one rule of the person's own.
    SetRule {
        /// Table and key: `lend.idle_minutes`.
        key: String,
        /// The person's word; `None`: they say nothing any more, and the default counts.
        value: Option<RuleValue>,
    },
    /// The local API's keys.
    Keys,
    /// A new key for the local API.
    CreateKey {
        /// Its name.
        name: String,
    },
    /// A key works no longer.
    RevokeKey {
        /// Its name.
        name: String,
    },
    /// Begin to add a model from this machine's disk; how far it is shows in [`Request::Models`].
    AddModel {
        /// A file or folder.
        path: String,
        /// What to call it; from the path if not said.
        name: Option<String>,
    },
    /// End what is being added, or forget that it could not be.
    ForgetAdding {
        /// The file or folder.
        path: String,
    },
    /// Remove a model from this machine.
    RemoveModel {
        /// Its name.
        name: String,
    },
    /// What was asked from here, by day and model, newest day first.
    Usage,
    /// Forget what was asked from here.
    EraseUsage,
    /// Look at everything that keeps this machine from lending and asking well.
    Doctor,
    /// What is known about this machine for someone who is to help: no content, no names of people.
    Diagnostics,
    /// What Lull keeps on this machine.
    Stored,
    /// The person's preferences.
    Prefs,
    /// Change the person's preferences.
    SetPrefs {
        /// All of them.
        prefs: Prefs,
    },
    /// Begin to sign in at the organisation's provider.
    Login,
    /// Show the app's window. Whoever draws one hears [`Event::Show`].
    Show {
        /// This page; `None`: where it is.
        page: Option<Page>,
    },
}

/// A node's answer to a [`Request`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Response {
    /// To [`Request::Status`].
    Status(Box<StatusView>),
    /// To [`Request::Models`].
    Models {
        /// By name.
        models: Vec<ModelView>,
        /// What is being added.
        #[serde(default)]
        adding: Vec<AddingView>,
    },
    /// To [`Request::Log`].
    Log {
        /// Newest first.
        jobs: Vec<RanHere>,
    },
    /// To [`Request::Rules`].
    Rules(Box<RulesView>),
    /// To [`Request::Keys`].
    Keys {
        /// By name.
        keys: Vec<KeyView>,
    },
    /// To [`Request::CreateKey`].
    Key {
        /// The key itself, this once.
        key: String,
    },
    /// To [`Request::Usage`].
    Usage {
        /// Newest day first.
        days: Vec<UsedDay>,
    },
    /// To [`Request::Doctor`].
    Doctor {
        /// In the order in which a person would look.
        findings: Vec<Finding>,
    },
    /// To [`Request::Diagnostics`].
    Diagnostics {
        /// A JSON document.
        json: String,
    },
    /// To [`Request::Stored`].
    Stored {
        /// Each thing once.
        things: Vec<StoredView>,
    },
    /// To [`Request::Prefs`].
    Prefs {
        /// All of them.
        prefs: Prefs,
    },
    /// To [`Request::Login`]: what happens next shows in the status.
    Login {
        /// The page to open in a browser on this machine.
        url: String,
    },
    /// Done, with nothing to say.
    Done,
}

/// Something changed: small, so that it can be sent to every window. Ask again for what it concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// [`Request::Status`] would answer differently now.
    Status,
    /// [`Request::Models`] would answer differently now.
    Models,
    /// [`Request::Rules`] would answer differently now.
    Rules,
    /// [`Request::Prefs`] would answer differently now.
    Prefs,
    /// The window is to be shown.
    Show {
        /// This page; `None`: where it is.
        page: Option<Page>,
    },
}

/// One question to the pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ChatRequest {
    /// The model's name in the pool.
    pub model: String,
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// Which nodes may see it.
    #[serde(default)]
    pub label: Label,
    /// How to choose tokens.
    #[serde(default)]
    pub sampling: Sampling,
}

/// What happens to a question, in order: any number of `Queued`, `Started`, `Token`s, then one `Done` or `Failed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "chat", rename_all = "snake_case")]
pub enum ChatEvent {
    /// It waits for a slot.
    Queued {
        /// How many jobs are before it.
        ahead: u32,
    },
    /// A lender has it.
    Started {
        /// The job's id.
        job: JobId,
        /// The lender.
        by: Answered,
    },
    /// One more token.
    Token(Token),
    /// Text held back for a stop string that never came. Belongs after the last token.
    Tail {
        /// The text.
        text: String,
    },
    /// The answer is whole.
    Done {
        /// Why it ended.
        finish: FinishReason,
        /// What it cost.
        usage: Usage,
        /// Where the time went.
        timings: JobTimings,
    },
    /// The answer will not come, or not go on.
    Failed(Fault),
}

/// Who answers a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Answered {
    /// The lending node.
    pub node: NodeId,
    /// Its name, as its owner gave it.
    pub name: String,
    /// The exact model.
    pub model: ModelHash,
    /// What kind of machine it is, in a few words that name nobody: `8 threads` or a graphics processor's name; empty
    /// where it did not say.
    #[serde(default)]
    pub machine: String,
}

/// Where a job's time went, in microseconds, measured by the submitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct JobTimings {
    /// From asking to the grant.
    pub grant_us: u64,
    /// From asking to the first token.
    pub first_token_us: u64,
    /// From asking to the end.
    pub total_us: u64,
}

/// A node, seen from outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct StatusView {
    /// This machine.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// The organisation's name.
    pub org: String,
    /// The groups its invitation gave it.
    pub groups: Vec<String>,
    /// The way to the relay.
    pub relay: LinkView,
    /// Whether it lends, and why.
    pub lending: LendingView,
    /// What stands between a worker and this machine.
    pub sandbox: SandboxView,
    /// The workers that run or ran last.
    pub workers: Vec<WorkerView>,
    /// Jobs of which labels this machine runs, from anyone in its organisation.
    #[serde(default)]
    pub accepts: Vec<Label>,
    /// Whoever signed in here; `None`: nobody has.
    #[serde(default)]
    pub person: Option<PersonView>,
    /// Base URL of the local API.
    pub api: Option<String>,
    /// Jobs answered here since the start.
    pub jobs_lent: u64,
    /// Jobs asked from here since the start.
    pub jobs_asked: u64,
    /// Lull's version.
    pub version: String,
}

/// Whoever works at this machine, by the organisation's sign-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "person", rename_all = "snake_case")]
pub enum PersonView {
    /// They were sent to the provider and are not back yet.
    Waiting {
        /// The page at the provider.
        url: String,
    },
    /// They are known.
    Known {
        /// By this name.
        user: String,
        /// The provider's groups.
        groups: Vec<String>,
        /// Until when that counts, in seconds since 1970.
        #[cfg_attr(feature = "ts", ts(type = "number"))]
        until_unix_s: u64,
    },
    /// The last try came to nothing.
    Refused {
        /// Why.
        fault: Fault,
    },
}

/// The way to the relay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "link", rename_all = "snake_case")]
pub enum LinkView {
    /// Connected.
    Up {
        /// The relay's address.
        relay: String,
        /// When the transport certificate ends, in seconds since 1970.
        certificate_until_s: u64,
    },
    /// Not connected, and why.
    Down {
        /// The relay's address.
        relay: String,
        /// What the last try met.
        reason: Fault,
    },
}

/// What stands between a worker and this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SandboxView {
    /// The best tier that the layers make; `None`: they make none, or it is not known which there are.
    pub tier: Option<Tier>,
    /// What the rules ask for at least; below it no job runs.
    pub required: Tier,
    /// The layers that a worker has here.
    pub layers: Layers,
    /// Those that it has not, with what to change on this machine.
    pub shortfalls: Vec<Shortfall>,
    /// All of it in one sentence.
    pub summary: String,
}

/// What a worker's program says of the sandbox that it can put up on this machine, as its `--sandbox-report` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SandboxReport {
    /// The layers that are up when it has loaded a model.
    pub layers: Layers,
    /// Those that could not be put up.
    pub shortfalls: Vec<Shortfall>,
}

/// How something on this machine stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// As it should be.
    Good,
    /// It works, and something about it could be better or is not known.
    Attention,
    /// Something does not work because of it.
    Broken,
}

/// One thing that was looked at on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Finding {
    /// What was looked at, in one word that stays the same.
    pub check: String,
    /// How it stands.
    pub health: Health,
    /// What was found, in words.
    pub found: String,
    /// What to do about it, in words.
    pub remedy: Option<String>,
}

/// A worker process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct WorkerView {
    /// The model it runs.
    pub model: String,
    /// What it does.
    pub state: WorkerState,
    /// Its process, while there is one.
    pub pid: Option<u32>,
    /// How often it had to be started again.
    pub restarts: u32,
    /// Why it had to be, the last time.
    pub last_fault: Option<Fault>,
}

/// What a worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum WorkerState {
    /// Reading its model.
    Loading,
    /// Stopped where it was: its machine's owner is back.
    Frozen,
    /// Waiting for a job.
    Idle,
    /// Answering.
    Busy,
    /// Not running; see its last fault.
    Down,
}

/// Where a model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ModelPlace {
    /// Only on this machine.
    Here,
    /// Only on other nodes.
    Pool,
    /// On this machine and on others.
    Both,
    /// Known by name; nobody offers it now.
    Nowhere,
}

/// A model, seen from a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ModelView {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub hash: Option<ModelHash>,
    /// Where it is.
    pub place: ModelPlace,
    /// How many nodes offer it now.
    pub lenders: u32,
    /// Its size on this machine, in bytes.
    pub bytes: Option<u64>,
    /// Its context, in tokens.
    pub context: Option<u32>,
    /// Best decode speed measured in the pool, tokens per second.
    pub decode_tps: Option<f32>,
    /// Why it cannot be used here, if it cannot.
    pub fault: Option<Fault>,
}

impl ChatEvent {
    /// The text this event adds to the answer.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Token(token) => &token.text,
            Self::Tail { text } => text,
            Self::Queued { .. } | Self::Started { .. } | Self::Done { .. } | Self::Failed(_) => "",
        }
    }

    /// Whether nothing comes after it.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Failed(_))
    }
}
