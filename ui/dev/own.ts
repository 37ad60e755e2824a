import type {
  AddingView,
  Control,
  Finding,
  KeyView,
  LabelView,
  OrgRuleView,
  RuleSource,
  RuleUnit,
  RuleValue,
  RuleView,
  RulesView,
  StoredView,
  UsedDay,
} from "../src/lib/door.ts";
import type { Scene } from "./scenes.ts";

/** What the scripted node says about the person's own: rules, keys, use, files, health. */

const number = (min: number, max: number, unit: RuleUnit, no_limit = false, step = 1): Control => ({
  control: "number",
  min,
  max,
  step,
  unit,
  no_limit,
});
const RULES: [key: string, control: Control, value: RuleValue][] = [
  ["lend.enabled", { control: "switch" }, { value: "switch", is: true }],
  ["lend.idle_minutes", number(1, 240, "minutes"), { value: "number", is: 5 }],
  ["lend.on_battery", { control: "switch" }, { value: "switch", is: false }],
  ["lend.metered", { control: "switch" }, { value: "switch", is: false }],
  ["lend.hours", { control: "hours" }, { value: "hours", is: [] }],
  ["lend.max_celsius", number(40, 110, "celsius", true), { value: "number", is: 85 }],
  ["lend.other_cores", number(0.1, 64, "cores", true, 0.1), { value: "number", is: 1 }],
  ["lend.calls", { control: "switch" }, { value: "switch", is: true }],
  ["lend.films", { control: "switch" }, { value: "switch", is: true }],
  ["lend.full_screen", { control: "switch" }, { value: "switch", is: true }],
  ["lend.remote", { control: "switch" }, { value: "switch", is: true }],
  ["lend.apps", { control: "names", count_max: 32, bytes_max: 64 }, { value: "names", is: [] }],
  ["lend.threads", number(1, 256, "threads", true), { value: "no_limit" }],
  ["lend.memory_percent", number(1, 90, "percent"), { value: "number", is: 50 }],
  ["lend.disk_gib", number(1, 4096, "gibibytes"), { value: "number", is: 50 }],
  ["lend.watts_per_thread", number(0.1, 100, "watts", false, 0.1), { value: "number", is: 6 }],
  ["sandbox.tier", { control: "choice", options: ["basic", "full"] }, { value: "choice", is: "basic" }],
];

/** What the organisation holds in the scene `organisation`, and what the person had said instead. */
const HELD: Record<string, { value: RuleValue; control?: Control; stricter: boolean; said?: string }> = {
  "lend.enabled": { value: { value: "switch", is: false }, stricter: false, said: "true" },
  "lend.idle_minutes": { value: { value: "number", is: 15 }, control: number(15, 240, "minutes"), stricter: true, said: "5" },
  "lend.hours": { value: { value: "hours", is: ["Mon-Fri 18:00-08:00", "Sat-Sun"] }, stricter: true },
  "sandbox.tier": { value: { value: "choice", is: "full" }, control: { control: "choice", options: ["full"] }, stricter: false },
};

const DAY_S = 86_400;

/** What only the organisation decides in the scene `organisation`. */
const ORG: OrgRuleView[] = [
  ["labels.confidential.lenders", '["finance", "servers"]'],
  ["labels.confidential.askers", '["finance"]'],
  ["labels.confidential.tier", '"full"'],
  ["labels.patient-data", '"exists"'],
  ["labels.patient-data.dedicated", "true"],
  ["sites.berlin", '["berlin-office"]'],
  ["models.allow", '["lull-demo", "qwen3-4b-q4_k_m"]'],
  ["models.bytes.qwen3-4b-q4_k_m", '"3f6c1d0a9be27f5584d1c0ffee0123456789abcdef0123456789abcdef012345"'],
  ["quotas.1", '{ group = "interns", each = true, tokens_per_day = 100000 }'],
  ["quotas.2", '{ tokens_per_day = 50000000 }'],
].map(([key = "", value = ""]) => ({ key, value, source: "policy", said: [] }));

const label = (label: string, of: Partial<LabelView> = {}): LabelView => ({
  label,
  runs_here: true,
  why: "",
  may_send: true,
  askers: null,
  lenders: null,
  sites: null,
  tier: null,
  dedicated: false,
  ...of,
});

const labelsOf = (scene: Scene): LabelView[] =>
  scene !== "organisation"
    ? ["public", "internal", "confidential"].map((name) => label(name))
    : [
        label("public"),
        label("internal"),
        label("confidential", {
          runs_here: false,
          why: 'jobs labelled "confidential" run only on machines of finance, servers (rule labels.confidential.lenders)',
          may_send: false,
          askers: ["finance"],
          lenders: ["finance", "servers"],
          tier: "full",
        }),
        label("patient-data", {
          runs_here: false,
          why: 'jobs labelled "patient-data" run only on dedicated machines (rule labels.patient-data.dedicated)',
          dedicated: true,
        }),
      ];

export function rulesOf(scene: Scene, chosen: ReadonlyMap<string, RuleValue>): RulesView {
  const rules = RULES.map(([key, control, value]): RuleView => {
    const held = scene === "organisation" ? HELD[key] : undefined;
    const own = chosen.get(key);
    if (held) {
      const said = held.said ? [{ source: "settings" as const, said: held.said }] : [];
      const counts = held.stricter && own ? own : held.value;
      const { stricter } = held;
      const source: RuleSource = key === "sandbox.tier" ? "organisation" : "policy";
      return { key, control: held.control ?? control, value: counts, source, locked: true, stricter, said };
    }
    const source: RuleSource = own ? "settings" : "default";
    return { key, control, value: own ?? value, source, locked: false, stricter: false, said: [] };
  });
  const now_s = Math.floor(Date.now() / 1000);
  return {
    rules,
    org: scene === "organisation" ? ORG : [],
    labels: labelsOf(scene),
    policy:
      scene === "organisation" ? { version: 7, issued_unix_s: now_s - 80 * DAY_S, until_unix_s: now_s + 10 * DAY_S } : null,
    settings_file: "/home/mara/.config/lull/settings.toml",
    machine_file: scene === "organisation" ? "/etc/lull/machine.toml" : null,
    broken: scene === "rules_broken" ? "/home/mara/.config/lull/settings.toml:7:1: `idle_minuts` is not a known key" : null,
  };
}

export const keysOf = (scene: Scene): KeyView[] =>
  scene === "empty"
    ? []
    : [
        { name: "continue", created_s: 1_763_400_000 },
        { name: "open-webui", created_s: 1_762_100_000 },
      ];

export function usageOf(scene: Scene, now: number): UsedDay[] {
  if (scene === "empty" || scene === "first_run") return [];
  const days: UsedDay[] = [];
  for (let ago = 0; ago < 40; ago++) {
    const wave = Math.abs(Math.sin(ago * 1.7));
    if (ago % 7 === 6 || ago % 7 === 5) continue;
    const date = new Date(now);
    date.setDate(date.getDate() - ago);
    const day = [date.getFullYear(), String(date.getMonth() + 1).padStart(2, "0"), String(date.getDate()).padStart(2, "0")].join("-");
    const answered = Math.round(2 + wave * 14);
    days.push({ day, model: "qwen3-4b-q4_k_m", answered, unanswered: ago % 4 === 0 ? 1 : 0, prompt_tokens: answered * 410, completion_tokens: answered * 260 });
    if (ago % 3 === 0) {
      days.push({ day, model: "llama-3.2-1b-instruct", answered: 3, unanswered: 0, prompt_tokens: 840, completion_tokens: 510 });
    }
  }
  return days;
}

const HOME = "/home/mara/.local/share/lull";
export const STORED_THINGS: StoredView[] = [
  { what: "identity", path: `${HOME}/identity`, bytes: 4_210 },
  { what: "settings", path: "/home/mara/.config/lull", bytes: 1_130 },
  { what: "keys", path: `${HOME}/keys.json`, bytes: 412 },
  { what: "ran", path: `${HOME}/ran.db`, bytes: 98_304 },
  { what: "used", path: `${HOME}/used.db`, bytes: 24_576 },
  { what: "models", path: `${HOME}/models`, bytes: 2_501_580_000 },
];

export function findingsOf(scene: Scene): Finding[] {
  const good = (check: string, found: string): Finding => ({ check, health: "good", found, remedy: null });
  const findings = [
    good("rules", "the rules are read: /home/mara/.config/lull/settings.toml"),
    good("policy", "signed policy version 7 counts until 2027-02-21"),
    good("enrolled", "this machine is mara-workstation of Acme"),
    good("relay", "connected to relay.acme.example:5855"),
    good("certificate", "valid for 19 more hours, renewed by itself"),
    good("sensors", "15 of 15 signals are known"),
    good("worker", "lull-worker-mistral 0.4.0"),
    good("sandbox", "full: 13 of 13 layers"),
    good("models", "2 models, all of their files are whole"),
    good("disk", "212 GiB free"),
  ];
  if (scene === "weak" || scene === "no_worker") {
    findings[7] = {
      check: "sandbox",
      health: "broken",
      found: "basic: 10 of 13 layers (missing: own_root, own_network, own_ipc); the rules ask for full, so no job runs here",
      remedy: "set kernel.unprivileged_userns_clone to 1, or ask your IT",
    };
    findings.push({
      check: "swap",
      health: "attention",
      found: "swap is on a disk that is not encrypted, so that content in memory may reach it",
      remedy: "encrypt the swap, or switch it off with `swapoff -a`",
    });
  }
  return findings;
}

export const ADDING: AddingView[] = [
  { path: "/home/mara/models/gemma-3-4b.gguf", file: "gemma-3-4b.gguf", done_bytes: 1_720_000_000, total_bytes: 2_710_000_000, fault: null },
  {
    path: "/home/mara/models/broken.gguf",
    file: null,
    done_bytes: 0,
    total_bytes: 0,
    fault: { code: "model_broken", message: "/home/mara/models/broken.gguf is no GGUF file: it begins with other bytes; download it again." },
  },
];
