import type { LendingView, ModelView, RanHere, SandboxView, StatusView } from "../src/lib/door.ts";
import { LAYERS } from "../src/lib/door.ts";

/** How the scripted node stands. */
export const SCENES = [
  "lending",
  "first_run",
  "idle",
  "in_use",
  "unknown",
  "yielding",
  "paused",
  "forever",
  "organisation",
  "rules_broken",
  "no_worker",
  "relay_down",
  "empty",
  "weak",
  "adding",
  "not_joined",
  "gone",
  "signed_out",
] as const;
export type Scene = (typeof SCENES)[number];

const MINUTE_MS = 60_000;
const HASH = "3f6c1d0a9be27f5584d1c0ffee0123456789abcdef0123456789abcdef012345";

const lendingNow: Extract<LendingView, { lending: "lending" }> = {
  lending: "lending",
  words: "lending: 1 of 2 slots free",
  free_slots: 1,
  slots: 2,
  finishing: false,
};

export function lendingOf(scene: Scene, now: number): LendingView {
  const soon = now + 3.4 * MINUTE_MS;
  switch (scene) {
    case "first_run":
      return { lending: "off", reason: { because: "not_agreed" }, words: "lending is off on this machine" };
    case "organisation":
      return { lending: "off", reason: { because: "organisation" }, words: "the organisation does not want it" };
    case "rules_broken":
      return {
        lending: "off",
        reason: { because: "rules_broken", why: "settings.toml, line 7: unknown key `idle_minuts`" },
        words: "the rules cannot be followed",
      };
    case "no_worker":
      return {
        lending: "off",
        reason: { because: "no_worker", why: "the program lull-worker-mistral is not beside lull" },
        words: "no worker can run here",
      };
    case "in_use":
      return {
        lending: "waiting",
        reason: { because: "in_use", signal: "call", what: "Firefox" },
        words: "a microphone or camera is in use (Firefox)",
        until: null,
      };
    case "empty":
      return { lending: "waiting", reason: { because: "just_left" }, words: "waiting to be sure", until: soon };
    case "unknown":
      return {
        lending: "waiting",
        reason: { because: "unknown", signal: "power", why: "UPower does not answer" },
        words: "it is not known about power: UPower does not answer",
        until: null,
      };
    case "yielding":
      return {
        lending: "yielding",
        reason: { because: "in_use", signal: "input", what: "" },
        words: "you are using this machine",
        until: now + 4_000,
      };
    case "paused":
      return { lending: "paused", until: now + 48 * MINUTE_MS, words: "paused by you" };
    case "forever":
      return { lending: "paused", until: null, words: "paused by you" };
    case "idle":
      return { ...lendingNow, free_slots: 2 };
    default:
      return lendingNow;
  }
}

function sandboxOf(scene: Scene): SandboxView {
  if (scene !== "weak") {
    return { tier: "full", required: "basic", layers: [...LAYERS], shortfalls: [], summary: "full: 13 of 13 layers" };
  }
  const missing = ["own_root", "own_network", "own_ipc"] as const;
  const why = "unprivileged user namespaces are switched off; set kernel.unprivileged_userns_clone to 1";
  return {
    tier: "basic",
    required: "full",
    layers: LAYERS.filter((layer) => !(missing as readonly string[]).includes(layer)),
    shortfalls: missing.map((layer) => ({ layer, why })),
    summary: `basic: 10 of 13 layers (missing: own_root, own_network, own_ipc: ${why}); the rules ask for full, so no job runs here`,
  };
}

export function statusOf(scene: Scene, now: number, lending: LendingView): StatusView {
  const relay = "relay.acme.example:5855";
  const down = scene === "relay_down";
  const idle = lending.lending !== "lending";
  return {
    node: "7c1e02b9a4d86f3355aa10c2d9e4f701",
    name: "mara-workstation",
    org: "Acme",
    groups: ["engineering", "berlin"],
    person: null,
    relay: down
      ? { link: "down", relay, reason: { code: "relay_unreachable", message: `No answer from ${relay} within 5 s.` } }
      : { link: "up", relay, certificate_until_s: Math.round(now / 1000) + 71_000 },
    lending,
    sandbox: sandboxOf(scene),
    workers: idle
      ? []
      : [{ model: "qwen3-4b-q4_k_m", state: "busy", pid: 48213, restarts: 0, last_fault: null }],
    accepts: ["public", "internal", "confidential"],
    api: scene === "empty" ? null : "http://127.0.0.1:5855/v1",
    jobs_lent: 41,
    jobs_asked: 12,
    version: "0.4.0",
  };
}

export function modelsOf(scene: Scene): ModelView[] {
  if (scene === "empty") return [];
  const base = { hash: HASH, fault: null };
  return [
    { ...base, name: "lull-demo", place: "both", lenders: 6, bytes: 4_300_000, context: 1_024, decode_tps: 2_140 },
    {
      ...base,
      name: "llama-3.2-1b-instruct",
      place: "pool",
      lenders: 3,
      bytes: null,
      context: 131_072,
      decode_tps: 61.4,
    },
    {
      ...base,
      name: "mistral-small-24b",
      hash: null,
      place: "nowhere",
      lenders: 0,
      bytes: null,
      context: null,
      decode_tps: null,
    },
    {
      ...base,
      name: "phi-4-mini",
      place: "here",
      lenders: 0,
      bytes: 2_490_000_000,
      context: 16_384,
      decode_tps: null,
      fault: { code: "model_broken", message: "tokenizer.json is not beside model.gguf; put it there and look again." },
    },
    {
      ...base,
      name: "qwen3-4b-q4_k_m",
      place: "both",
      lenders: 2,
      bytes: 2_497_280_000,
      context: 32_768,
      decode_tps: 17.8,
    },
  ];
}

/** Some five weeks of work, the same each time. */
export function logOf(scene: Scene, now: number): RanHere[] {
  if (scene === "empty" || scene === "first_run") return [];
  const jobs: RanHere[] = [];
  let seed = 7;
  const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  let ended = now - 9 * MINUTE_MS;
  for (let id = 1_240; id > 900; id--) {
    const completion = Math.round(40 + random() * 620);
    const ran = completion * (50 + random() * 30);
    const fate = random();
    jobs.push({
      id,
      ended_unix_ms: Math.round(ended),
      model: random() < 0.7 ? "qwen3-4b-q4_k_m" : "lull-demo",
      prompt_tokens: Math.round(30 + random() * 1_400),
      completion_tokens: completion,
      ran_ms: Math.round(ran),
      energy_wh: (ran / 1000) * 4 * 6 * (1 / 3600),
      outcome: fate < 0.92 ? "completed" : fate < 0.96 ? "cancelled" : "yielding",
    });
    ended -= random() < 0.14 ? (8 + random() * 22) * 60 * MINUTE_MS : random() * 55 * MINUTE_MS;
  }
  return jobs;
}
