/**
 * The door's types, as `lull-types` writes them in JSON. Written by hand for now, in one file, so that a generated one
 * can take its place. Names and fields are those of Rust; 64-bit numbers fit a double here (bytes, microseconds, dates).
 */

// ids.rs
/** 32 hexadecimal digits. */
export type JobId = string;
/** 32 hexadecimal digits. */
export type NodeId = string;
/** 64 hexadecimal digits. */
export type ModelHash = string;

// label.rs
/** 1 to 32 lower-case letters, digits or hyphens. */
export type Label = string;
export const LABELS = ["public", "internal", "confidential"] as const satisfies Label[];

// code.rs
export const CODES = [
  "bad_request",
  "unsupported",
  "unauthorized",
  "forbidden",
  "model_unknown",
  "no_lender",
  "busy",
  "context_exceeded",
  "lender_lost",
  "yielding",
  "lender_refused",
  "lender_untrusted",
  "worker_died",
  "worker_hung",
  "worker_memory",
  "worker_protocol",
  "unconfined",
  "model_broken",
  "relay_unreachable",
  "relay_draining",
  "not_enrolled",
  "not_running",
  "expired",
  "revoked",
  "bad_seal",
  "bad_frame",
  "invitation_used",
  "cancelled",
  "timeout",
  "storage",
  "internal",
] as const;
export type Code = (typeof CODES)[number];
export type Fault = { code: Code; message: string };

// generate.rs
export type Role = "system" | "user" | "assistant";
export type Message = { role: Role; content: string };
/** What is left out has the default of `Sampling::default()`: temperature 1, 512 tokens, seed 0. */
export type Sampling = Partial<{
  temperature: number;
  top_p: number;
  top_k: number;
  min_p: number;
  frequency_penalty: number;
  presence_penalty: number;
  repetition_penalty: number;
  bias: [id: number, bias: number][];
  seed: number;
  max_tokens: number;
  stop: string[];
  logprobs: number | null;
}>;
export type TokenLogprob = { id: number; bytes: number[]; logprob: number };
export type Token = { position: number; id: number; text: string; logprob?: TokenLogprob; top?: TokenLogprob[] };
export type FinishReason = "stop" | "length";
export type Usage = { prompt_tokens: number; completion_tokens: number };

// presence.rs
export const SIGNALS = [
  "input",
  "session",
  "remote",
  "sleep",
  "film",
  "call",
  "full_screen",
  "power",
  "heat",
  "network",
  "load",
  "memory",
  "gpu",
  "app",
  "clock",
] as const;
export type Signal = (typeof SIGNALS)[number];

// lending.rs
export type Reason =
  | { because: "not_agreed" }
  | { because: "organisation" }
  | { because: "rules_broken"; why: string }
  | { because: "no_worker"; why: string }
  | { because: "paused" }
  | { because: "finishing" }
  | { because: "in_use"; signal: Signal; what: string }
  | { because: "unknown"; signal: Signal; why: string }
  | { because: "just_left" }
  | { because: "outside_hours" }
  | { because: "settling" };
/** Milliseconds since 1970. */
export type Until = number;
export type LendingView =
  | { lending: "off"; reason: Reason; words: string }
  | { lending: "waiting"; reason: Reason; words: string; until: Until | null }
  | { lending: "lending"; words: string; free_slots: number; slots: number; finishing: boolean }
  | { lending: "yielding"; reason: Reason; words: string; until: Until | null }
  | { lending: "paused"; until: Until | null; words: string };
export type Pause = { pause: "for"; seconds: number } | { pause: "until_tomorrow" } | { pause: "forever" };
export type RanHere = {
  id: number;
  ended_unix_ms: number;
  model: string;
  prompt_tokens: number;
  completion_tokens: number;
  ran_ms: number;
  energy_wh: number;
  outcome: string;
};
/** The most jobs one answer to `log` holds: `RAN_REPLY_MAX` of `lull-node`. */
export const RAN_REPLY_MAX = 5_000;

// sandbox.rs
export const LAYERS = [
  "limits",
  "descriptors",
  "no_new_privileges",
  "no_dump",
  "no_capabilities",
  "own_root",
  "own_network",
  "own_ipc",
  "files",
  "ports",
  "scope",
  "load_filter",
  "run_filter",
] as const;
export type Layer = (typeof LAYERS)[number];
export type Tier = "basic" | "full";
export type Shortfall = { layer: Layer; why: string };

// door.rs
export type Request =
  | { call: "status" }
  | { call: "models" }
  | { call: "rescan" }
  | { call: "stop" }
  | { call: "lend"; on: boolean }
  | { call: "pause"; pause: Pause; finish: boolean }
  | { call: "resume" }
  | { call: "log"; limit: number }
  | { call: "erase_log" };
export type Response =
  | ({ reply: "status" } & StatusView)
  | { reply: "models"; models: ModelView[] }
  | { reply: "log"; jobs: RanHere[] }
  | { reply: "done" };
export type Event = { event: "status" } | { event: "models" };
export type ChatRequest = { model: string; messages: Message[]; label?: Label; sampling?: Sampling };
export type ChatEvent =
  | { chat: "queued"; ahead: number }
  | { chat: "started"; job: JobId; by: Answered }
  | ({ chat: "token" } & Token)
  | { chat: "tail"; text: string }
  | { chat: "done"; finish: FinishReason; usage: Usage; timings: JobTimings }
  | ({ chat: "failed" } & Fault);
export type Answered = { node: NodeId; name: string; model: ModelHash };
/** Microseconds. */
export type JobTimings = { grant_us: number; first_token_us: number; total_us: number };
export type StatusView = {
  node: NodeId;
  name: string;
  org: string;
  groups: string[];
  relay: LinkView;
  lending: LendingView;
  sandbox: SandboxView;
  workers: WorkerView[];
  api: string | null;
  jobs_lent: number;
  jobs_asked: number;
  version: string;
};
export type LinkView =
  | { link: "up"; relay: string; certificate_until_s: number }
  | { link: "down"; relay: string; reason: Fault };
export type SandboxView = {
  tier: Tier | null;
  required: Tier;
  layers: Layer[];
  shortfalls: Shortfall[];
  summary: string;
};
export type WorkerState = "loading" | "frozen" | "idle" | "busy" | "down";
export type WorkerView = {
  model: string;
  state: WorkerState;
  pid: number | null;
  restarts: number;
  last_fault: Fault | null;
};
export type ModelPlace = "here" | "pool" | "both" | "nowhere";
export type ModelView = {
  name: string;
  hash: ModelHash | null;
  place: ModelPlace;
  lenders: number;
  bytes: number | null;
  context: number | null;
  decode_tps: number | null;
  fault: Fault | null;
};
