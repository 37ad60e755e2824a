// Written by `cargo run -p xtask -- bindings`.

/** A model that is being added to this machine, or could not be. */
export type AddingView = {
  /** Where it comes from: a file or folder on this machine. */
  path: string,
  /** The file that is being read. */
  file: string | null,
  /** Bytes of that file that are done. */
  done_bytes: number,
  /** Its bytes in all. */
  total_bytes: number,
  /** Why it could not be added; it stays in the list until [`crate::Request::ForgetAdding`]. */
  fault: Fault | null, };
/** Who answers a job. */
export type Answered = {
  /** The lending node. */
  node: NodeId,
  /** Its name, as its owner gave it. */
  name: string,
  /** The exact model. */
  model: ModelHash,
  /** What kind of machine it is, in a few words that name nobody: `8 threads` or a graphics processor's name; empty where it did not say. */
  machine: string, };
/** What happens to a question, in order: any number of `Queued`, `Started`, `Token`s, then one `Done` or `Failed`. */
export type ChatEvent = { "chat": "queued",
  /** How many jobs are before it. */
  ahead: number, } | { "chat": "started",
  /** The job's id. */
  job: JobId,
  /** The lender. */
  by: Answered, } | { "chat": "token" } & Token | { "chat": "tail",
  /** The text. */
  text: string, } | { "chat": "done",
  /** Why it ended. */
  finish: FinishReason,
  /** What it cost. */
  usage: Usage,
  /** Where the time went. */
  timings: JobTimings, } | { "chat": "failed" } & Fault;
/** One question to the pool. */
export type ChatRequest = {
  /** The model's name in the pool. */
  model: string,
  /** The conversation so far. */
  messages: Array<Message>,
  /** Which nodes may see it. */
  label: Label,
  /** How to choose tokens. */
  sampling: Sampling, };
export const CODES = ["bad_request", "unsupported", "unauthorized", "forbidden", "model_unknown", "no_lender", "busy", "quota_used", "context_exceeded", "lender_lost", "yielding", "lender_refused", "lender_untrusted", "worker_died", "worker_hung", "worker_memory", "worker_protocol", "unconfined", "model_broken", "relay_unreachable", "relay_draining", "not_enrolled", "not_running", "expired", "revoked", "bad_seal", "bad_frame", "invitation_used", "cancelled", "timeout", "storage", "internal"] as const;
/** What went wrong, as a name that never changes: programs branch on it, people search for it. */
export type Code = (typeof CODES)[number];
/** How a rule is changed. */
export type Control = { "control": "switch" } | { "control": "number",
  /** The least. */
  min: number,
  /** The most. */
  max: number,
  /** From one to the next. */
  step: number,
  /** Of what. */
  unit: RuleUnit,
  /** Whether it may also be without a limit: [`RuleValue::NoLimit`]. */
  no_limit: boolean, } | { "control": "hours" } | { "control": "names",
  /** The most names. */
  count_max: number,
  /** The longest name, in bytes. */
  bytes_max: number, } | { "control": "choice",
  /** As in the settings file. */
  options: Array<string>, };
/** Something changed: small, so that it can be sent to every window. Ask again for what it concerns. */
export type Event = { "event": "status" } | { "event": "models" } | { "event": "rules" } | { "event": "prefs" } | { "event": "show",
  /** This page; `None`: where it is. */
  page: Page | null, };
/** An error as it crosses a boundary: a stable code and one sentence that says what, where and what to do. */
export type Fault = {
  /** What programs branch on. */
  code: Code,
  /** What people read. */
  message: string, };
/** One thing that was looked at on this machine. */
export type Finding = {
  /** What was looked at, in one word that stays the same. */
  check: string,
  /** How it stands. */
  health: Health,
  /** What was found, in words. */
  found: string,
  /** What to do about it, in words. */
  remedy: string | null, };
/** Why an answer ended. */
export type FinishReason = "stop" | "length";
/** How something on this machine stands. */
export type Health = "good" | "attention" | "broken";
/** One inference request, numbered at random by its submitter. */
export type JobId = string;
/** Where a job's time went, in microseconds, measured by the submitter. */
export type JobTimings = {
  /** From asking to the grant. */
  grant_us: number,
  /** From asking to the first token. */
  first_token_us: number,
  /** From asking to the end. */
  total_us: number, };
/** A key for the local API, as it may be shown: never the key itself. */
export type KeyView = {
  /** Its name. */
  name: string,
  /** When it was made, in seconds since 1970. */
  created_s: number, };
/** A job's data class: it decides which nodes may see the job. */
export type Label = string;
/** A label, and what this machine has to do with it. */
export type LabelView = {
  /** Its name. */
  label: Label,
  /** Jobs with it may run here; where they may not, `why` says why. */
  runs_here: boolean,
  /** The rule that keeps them away; empty where none does. */
  why: string,
  /** Questions with it may be sent from here. */
  may_send: boolean,
  /** The groups that may send one; `None`: all. */
  askers: Array<string> | null,
  /** The groups whose machines may see one; `None`: all. */
  lenders: Array<string> | null,
  /** The sites whose machines may see one; `None`: all. */
  sites: Array<string> | null,
  /** How well workers must be confined for it at least. */
  tier: Tier | null,
  /** Only machines that nobody sits at may see one. */
  dedicated: boolean, };
export const LAYERS = ["limits", "descriptors", "no_new_privileges", "no_dump", "no_capabilities", "own_root", "own_network", "own_ipc", "files", "ports", "scope", "load_filter", "run_filter"] as const;
/** One thing that stands between a worker and the machine it runs on. A worker reports those it has put up itself. */
export type Layer = (typeof LAYERS)[number];
/** Whether this machine lends. */
export type LendingView = { "lending": "off",
  /** Why. */
  reason: Reason,
  /** The same in words. */
  words: string, } | { "lending": "waiting",
  /** What. */
  reason: Reason,
  /** The same in words. */
  words: string,
  /** When it may lend if nothing else happens, where that is known. */
  until: Until | null, } | { "lending": "lending",
  /** Why, in words. */
  words: string,
  /** Jobs that can still be taken now. */
  free_slots: number,
  /** Jobs that can be taken at once in all. */
  slots: number,
  /** Its owner said: after the job that runs now, no more. */
  finishing: boolean, } | { "lending": "yielding",
  /** What happened. */
  reason: Reason,
  /** The same in words. */
  words: string,
  /** When it is decided. */
  until: Until | null, } | { "lending": "paused",
  /** Until when; `None`: until they resume. */
  until: Until | null,
  /** In words. */
  words: string, };
/** The way to the relay. */
export type LinkView = { "link": "up",
  /** The relay's address. */
  relay: string,
  /** When the transport certificate ends, in seconds since 1970. */
  certificate_until_s: number, } | { "link": "down",
  /** The relay's address. */
  relay: string,
  /** What the last try met. */
  reason: Fault, };
/** One turn of a conversation, as the model's template gets it. */
export type Message = {
  /** Who says it. */
  role: Role,
  /** What is said. */
  content: string, };
/** BLAKE3 over a model's manifest: two nodes that show the same hash hold the same bytes. */
export type ModelHash = string;
/** Where a model is. */
export type ModelPlace = "here" | "pool" | "both" | "nowhere";
/** A model, seen from a node. */
export type ModelView = {
  /** Its name. */
  name: string,
  /** Its bytes. */
  hash: ModelHash | null,
  /** Where it is. */
  place: ModelPlace,
  /** How many nodes offer it now. */
  lenders: number,
  /** Its size on this machine, in bytes. */
  bytes: number | null,
  /** Its context, in tokens. */
  context: number | null,
  /** Best decode speed measured in the pool, tokens per second. */
  decode_tps: number | null,
  /** Why it cannot be used here, if it cannot. */
  fault: Fault | null, };
/** A machine: the first 16 bytes of SHA-256 over its device key, so that nobody can hand it out twice. */
export type NodeId = string;
/** One thing that only the organisation decides. */
export type OrgRuleView = {
  /** Table and key, as in a policy: `labels.confidential.lenders`. */
  key: string,
  /** What counts, as TOML. */
  value: string,
  /** Whose word that is. */
  source: RuleSource,
  /** What else was said and does not count. */
  said: Array<RuleSaid>, };
/** A page of the window, or a place on one. */
export type Page = "welcome" | "home" | "chat" | "models" | "privacy" | "ran" | "usage" | "connect" | "settings" | "rules" | "doctor" | "about";
/** For how long a person pauses. */
export type Pause = { "pause": "for",
  /** At least 1, at most a year. */
  seconds: number, } | { "pause": "until_tomorrow" } | { "pause": "forever" };
/** Whoever works at this machine, by the organisation's sign-in. */
export type PersonView = { "person": "waiting",
  /** The page at the provider. */
  url: string, } | { "person": "known",
  /** By this name. */
  user: string,
  /** The provider's groups. */
  groups: Array<string>,
  /** Until when that counts, in seconds since 1970. */
  until_unix_s: number, } | { "person": "refused",
  /** Why. */
  fault: Fault, };
/** The organisation's signed policy. */
export type PolicyView = {
  /** Its version. */
  version: number,
  /** When it was signed, in seconds since 1970. */
  issued_unix_s: number,
  /** When it ends, in seconds since 1970: nothing is lent after that until a newer one comes. */
  until_unix_s: number, };
/** What a person prefers in the app. Nothing is decided by it but how the app looks and whether it starts by itself. */
export type Prefs = {
  /** `en` or `de`; `None`: the system's. */
  lang: string | null,
  /** `light` or `dark`; `None`: the system's. */
  theme: string | null,
  /** Whether the app starts when its person logs in; `None`: not asked yet. */
  autostart: boolean | null,
  /** Whether the first page was answered, either way. */
  welcomed: boolean,
  /** What a kilowatt-hour costs, in thousandths of the person's currency. */
  price_milli_per_kwh: number | null, };
/** One job that ran here, as its owner may see it: no content, and nobody's name. */
export type RanHere = {
  /** Its place in the log. */
  id: number,
  /** When it ended, in milliseconds since 1970. */
  ended_unix_ms: number,
  /** The model's name. */
  model: string,
  /** Tokens of the prompt. */
  prompt_tokens: number,
  /** Tokens that were generated. */
  completion_tokens: number,
  /** From its start to its end, in milliseconds, time frozen not counted. */
  ran_ms: number,
  /** An estimate, in watt-hours; [`RanHere::ENERGY_FORMULA`] says how it is made. */
  energy_wh: number,
  /** How it ended: `completed`, `cancelled`, or a code. */
  outcome: string, };
/** Why a machine does not lend now. The words are in [`std::fmt::Display`]; programs branch on the name. */
export type Reason = { "because": "not_agreed" } | { "because": "organisation" } | { "because": "rules_broken",
  /** What is wrong, and where. */
  why: string, } | { "because": "no_worker",
  /** What is missing. */
  why: string, } | { "because": "paused" } | { "because": "finishing" } | { "because": "in_use",
  /** Which. */
  signal: Signal,
  /** What exactly; may be empty. */
  what: string, } | { "because": "unknown",
  /** Which. */
  signal: Signal,
  /** Why. */
  why: string, } | { "because": "just_left" } | { "because": "outside_hours" } | { "because": "settling" };
/** What can be asked of a running node. A chat is asked with [`ChatRequest`], which has a channel of its own. */
export type Request = { "call": "status" } | { "call": "models" } | { "call": "rescan" } | { "call": "stop" } | { "call": "lend",
  /** Which. */
  on: boolean, } | { "call": "pause",
  /** For how long. */
  pause: Pause,
  /** Let the jobs that run now end first. */
  finish: boolean, } | { "call": "resume" } | { "call": "log",
  /** At most so many. */
  limit: number,
  /** Only those whose place in the log is below this one: how to page on. */
  before: number | null, } | { "call": "erase_log" } | { "call": "join",
  /** The invitation. */
  token: string,
  /** What to call this machine; its own name if not said. */
  name: string | null, } | { "call": "rules" } | { "call": "set_rule",
  /** Table and key: `lend.idle_minutes`. */
  key: string,
  /** The person's word; `None`: they say nothing any more, and the default counts. */
  value: RuleValue | null, } | { "call": "keys" } | { "call": "create_key",
  /** Its name. */
  name: string, } | { "call": "revoke_key",
  /** Its name. */
  name: string, } | { "call": "add_model",
  /** A file or folder. */
  path: string,
  /** What to call it; from the path if not said. */
  name: string | null, } | { "call": "forget_adding",
  /** The file or folder. */
  path: string, } | { "call": "remove_model",
  /** Its name. */
  name: string, } | { "call": "usage" } | { "call": "erase_usage" } | { "call": "doctor" } | { "call": "diagnostics" } | { "call": "stored" } | { "call": "prefs" } | { "call": "set_prefs",
  /** All of them. */
  prefs: Prefs, } | { "call": "login" } | { "call": "show",
  /** This page; `None`: where it is. */
  page: Page | null, };
/** A node's answer to a [`Request`]. */
export type Response = { "reply": "status" } & StatusView | { "reply": "models",
  /** By name. */
  models: Array<ModelView>,
  /** What is being added. */
  adding: Array<AddingView>, } | { "reply": "log",
  /** Newest first. */
  jobs: Array<RanHere>, } | { "reply": "rules" } & RulesView | { "reply": "keys",
  /** By name. */
  keys: Array<KeyView>, } | { "reply": "key",
  /** The key itself, this once. */
  key: string, } | { "reply": "usage",
  /** Newest day first. */
  days: Array<UsedDay>, } | { "reply": "doctor",
  /** In the order in which a person would look. */
  findings: Array<Finding>, } | { "reply": "diagnostics",
  /** A JSON document. */
  json: string, } | { "reply": "stored",
  /** Each thing once. */
  things: Array<StoredView>, } | { "reply": "prefs",
  /** All of them. */
  prefs: Prefs, } | { "reply": "login",
  /** The page to open in a browser on this machine. */
  url: string, } | { "reply": "done" };
/** Who says a message. */
export type Role = "system" | "user" | "assistant";
/** A word that does not count as it was said. */
export type RuleSaid = {
  /** Whose. */
  source: RuleSource,
  /** As TOML. */
  said: string, };
/** Whose word counts. */
export type RuleSource = "default" | "settings" | "policy" | "organisation";
/** What a number counts. */
export type RuleUnit = "minutes" | "celsius" | "cores" | "threads" | "percent" | "gibibytes" | "watts";
/** What a rule says. */
export type RuleValue = { "value": "switch", "is": boolean } | { "value": "number", "is": number } | { "value": "no_limit" } | { "value": "hours", "is": Array<string> } | { "value": "names", "is": Array<string> } | { "value": "choice", "is": string };
/** One rule. */
export type RuleView = {
  /** Table and key, as in the settings file: `lend.idle_minutes`. */
  key: string,
  /** How it is changed. */
  control: Control,
  /** What counts now. */
  value: RuleValue,
  /** Whose word that is. */
  source: RuleSource,
  /** Whether the organisation holds it where it is. */
  locked: boolean,
  /** Whether the person may, where it is locked, still choose something stricter. */
  stricter: boolean,
  /** What else was said and does not count. */
  said: Array<RuleSaid>, };
/** Every rule that counts on this machine. */
export type RulesView = {
  /** In the order of the settings file. */
  rules: Array<RuleView>,
  /** What only the organisation decides. */
  org: Array<OrgRuleView>,
  /** Every label, and what this machine has to do with it; empty where no node runs that would know. */
  labels: Array<LabelView>,
  /** The organisation's signed policy, if it has one that counts. */
  policy: PolicyView | null,
  /** The person's own file. */
  settings_file: string,
  /** Where the organisation's rules for this machine are, if there are any. */
  machine_file: string | null,
  /** Why the files cannot be followed; nothing is lent then, and `rules` are the last that could be, or defaults. */
  broken: string | null, };
/** How the next token is chosen. The defaults are greedy-free: temperature 1, nothing cut off. */
export type Sampling = {
  /** 0 is greedy; 2 is the most. */
  temperature: number,
  /** Keep the most likely tokens up to this sum of probabilities, in (0, 1]. */
  top_p: number,
  /** Keep this many of the most likely tokens; 0 keeps all. */
  top_k: number,
  /** Keep tokens at least this share as likely as the likeliest, in [0, 1]. */
  min_p: number,
  /** Subtracted once per earlier occurrence in the answer, in [-2, 2]. */
  frequency_penalty: number,
  /** Subtracted once if it occurred in the answer at all, in [-2, 2]. */
  presence_penalty: number,
  /** Logits of tokens already in prompt or answer are divided (if positive) or multiplied by this; 1 is off. */
  repetition_penalty: number,
  /** Added to the logit of a token id. */
  bias: Array<[number, number]>,
  /** With the position it gives the randomness of each choice; two runs with one seed choose alike. */
  seed: number,
  /** The longest answer, in tokens. */
  max_tokens: number,
  /** The answer ends before the first of these. */
  stop: Array<string>,
  /** How many alternatives are reported with each token; `None` reports no probabilities at all. */
  logprobs: number | null, };
/** What stands between a worker and this machine. */
export type SandboxView = {
  /** The best tier that the layers make; `None`: they make none, or it is not known which there are. */
  tier: Tier | null,
  /** What the rules ask for at least; below it no job runs. */
  required: Tier,
  /** The layers that a worker has here. */
  layers: Array<Layer>,
  /** Those that it has not, with what to change on this machine. */
  shortfalls: Array<Shortfall>,
  /** All of it in one sentence. */
  summary: string, };
/** A layer that could not be put up. */
export type Shortfall = {
  /** Which. */
  layer: Layer,
  /** Why, and what to change on this machine, in words. */
  why: string, };
export const SIGNALS = ["input", "session", "remote", "sleep", "film", "call", "full_screen", "power", "heat", "network", "load", "memory", "gpu", "app", "clock"] as const;
/** What must be known before a machine may lend. Several [`Source`]s may speak to one signal; the worst of them counts. */
export type Signal = (typeof SIGNALS)[number];
/** A node, seen from outside. */
export type StatusView = {
  /** This machine. */
  node: NodeId,
  /** Its name. */
  name: string,
  /** The organisation's name. */
  org: string,
  /** The groups its invitation gave it. */
  groups: Array<string>,
  /** The way to the relay. */
  relay: LinkView,
  /** Whether it lends, and why. */
  lending: LendingView,
  /** What stands between a worker and this machine. */
  sandbox: SandboxView,
  /** The workers that run or ran last. */
  workers: Array<WorkerView>,
  /** Jobs of which labels this machine runs, from anyone in its organisation. */
  accepts: Array<Label>,
  /** Whoever signed in here; `None`: nobody has. */
  person: PersonView | null,
  /** Base URL of the local API. */
  api: string | null,
  /** Jobs answered here since the start. */
  jobs_lent: number,
  /** Jobs asked from here since the start. */
  jobs_asked: number,
  /** Lull's version. */
  version: string, };
export const STORED = ["identity", "settings", "keys", "ran", "used", "models"] as const;
/** What Lull keeps on this machine. */
export type Stored = (typeof STORED)[number];
/** Something that Lull keeps on this machine. */
export type StoredView = {
  /** What. */
  what: Stored,
  /** Where. */
  path: string,
  /** Its size, in bytes. */
  bytes: number, };
/** How well a worker is confined. Each tier holds all layers of the one before. */
export type Tier = "basic" | "full";
/** One generated token. */
export type Token = {
  /** Its place in the answer, from 0. */
  position: number,
  /** Its number in the model's vocabulary. */
  id: number,
  /** The text that became final with it: may be empty (half a character, or text held back for a stop string). */
  text: string,
  /** How likely it was, if asked for. */
  logprob?: TokenLogprob | null,
  /** The likeliest alternatives, likeliest first, if asked for. */
  top?: Array<TokenLogprob>, };
/** How likely a token was. */
export type TokenLogprob = {
  /** The token's number in the model's vocabulary. */
  id: number,
  /** The token's own bytes. */
  bytes: number[],
  /** The natural logarithm of its probability under the model, before temperature, penalties or cuts. */
  logprob: number, };
/** What happens next unless something else happens before. */
export type Until = number;
/** What an answer cost, in tokens. */
export type Usage = {
  /** Tokens of the templated prompt. */
  prompt_tokens: number,
  /** Tokens generated, the end-of-answer token not counted. */
  completion_tokens: number, };
/** What was asked from this machine on one day of one model. */
export type UsedDay = {
  /** The day in this machine's time zone, as `2026-11-23`. */
  day: string,
  /** The model's name. */
  model: string,
  /** Questions that were answered whole. */
  answered: number,
  /** Questions that were not: cancelled or failed. */
  unanswered: number,
  /** Tokens of the prompts. */
  prompt_tokens: number,
  /** Tokens of the answers. */
  completion_tokens: number, };
/** What a worker does. */
export type WorkerState = "loading" | "frozen" | "idle" | "busy" | "down";
/** A worker process. */
export type WorkerView = {
  /** The model it runs. */
  model: string,
  /** What it does. */
  state: WorkerState,
  /** Its process, while there is one. */
  pid: number | null,
  /** How often it had to be started again. */
  restarts: number,
  /** Why it had to be, the last time. */
  last_fault: Fault | null, };
/** The labels that every organisation has, the most open first. */
export const LABELS = ["public", "internal", "confidential"] as const;
/** Where the window finds a page: the end of its address. */
export const PATHS: Record<Page, string> = {
  "welcome": "#/welcome",
  "home": "#/home",
  "chat": "#/chat",
  "models": "#/models",
  "privacy": "#/privacy",
  "ran": "#/privacy/ran",
  "usage": "#/usage",
  "connect": "#/connect",
  "settings": "#/settings",
  "rules": "#/settings/organisation",
  "doctor": "#/doctor",
  "about": "#/about",
};
