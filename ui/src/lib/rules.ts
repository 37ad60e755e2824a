import type { Control, OrgRuleView, RuleSaid, RuleSource, RuleUnit, RuleValue, RuleView, RulesView } from "./door";
import { labelName, number } from "./format";
import { RULE_WORDS } from "./rule-words.gen";
import { t } from "./words";

type Word = (typeof RULE_WORDS)[number][1];

const SECTIONS = [
  { title: "section_when", keys: ["lend.enabled", "lend.idle_minutes", "lend.hours", "lend.on_battery", "lend.metered"] },
  {
    title: "section_stops",
    keys: ["lend.calls", "lend.films", "lend.full_screen", "lend.remote", "lend.apps", "lend.other_cores", "lend.max_celsius"],
  },
  { title: "section_limits", keys: ["lend.threads", "lend.memory_percent", "lend.disk_gib", "lend.watts_per_thread"] },
  { title: "section_safety", keys: ["sandbox.tier"] },
] as const;

/** The word of a key, and what stands there for `NAME`. A model's name may have dots, no other part of a key does. */
function wordOf(key: string): { word: Word; name: string } | undefined {
  for (const [pattern, word] of RULE_WORDS) {
    if (pattern === key) return { word, name: "" };
    const [before, after] = pattern.split("NAME");
    if (before === undefined || after === undefined || !key.startsWith(before) || !key.endsWith(after)) continue;
    const name = key.slice(before.length, key.length - after.length);
    if (name !== "" && (before === "models.bytes." || !name.includes("."))) return { word, name };
  }
  return undefined;
}

/** The rules as a page shows them. One that this window does not know yet stands with the last, under its own key. */
export function sections(rules: readonly RuleView[]): { title: string; rules: RuleView[] }[] {
  const of = (key: string) => rules.find((rule) => rule.key === key);
  const placed: readonly string[] = SECTIONS.flatMap(({ keys }) => [...keys]);
  const parts = SECTIONS.map(({ title, keys }) => ({ title: t(title), rules: keys.flatMap((key) => of(key) ?? []) }));
  parts.at(-1)?.rules.push(...rules.filter(({ key }) => !placed.includes(key)));
  return parts.filter(({ rules }) => rules.length > 0);
}

export function titleOf(key: string): string {
  const found = wordOf(key);
  return found ? t(found.word) : key;
}

export function helpOf(key: string): string {
  const found = wordOf(key);
  return found ? t(`${found.word}_help`) : "";
}

/** What it is called to have no limit. */
export function noLimit(key: string): string {
  return t(key === "lend.threads" ? "value_as_fits" : "value_do_not_look");
}

export function unit(unit: RuleUnit): string {
  return t(`unit_${unit}`);
}

/** A value in words. */
export function shown(key: string, control: Control, value: RuleValue): string {
  switch (value.value) {
    case "switch":
      return t(value.is ? "value_on" : "value_off");
    case "number":
      return control.control === "number" ? `${number(value.is, 1)} ${unit(control.unit)}` : number(value.is, 1);
    case "no_limit":
      return noLimit(key);
    case "hours":
      return value.is.join("; ") === "never" ? t("value_never") : value.is.join("; ") || t("value_always");
    case "names":
      return value.is.join(", ") || t("value_no_apps");
    case "choice":
      return choice(value.is);
  }
}

/** One of several, in words where there are some. */
export function choice(option: string): string {
  if (option === "basic") return t("value_basic");
  return option === "full" ? t("value_full") : option;
}

/** What somebody said and does not count. What Lull itself would have chosen is nobody's word. */
export function said({ source, said }: RuleSaid, key = ""): string {
  if (source === "default") return "";
  const value = readable(key, said);
  if (source === "settings") return t("said_by_you", { value });
  return t(source === "policy" ? "said_by_policy" : "said_by_file", { value });
}

const ofOrganisation = (source: RuleSource) => source === "policy" || source === "organisation";

/** Whether the organisation said something about it, whether or not that counts. */
export function decided(rule: RuleView): boolean {
  return ofOrganisation(rule.source) || rule.said.some(({ source }) => ofOrganisation(source));
}

/** Where the organisation says it. */
export function whose(source: RuleSource): string {
  return t(source === "policy" ? "whose_policy" : "whose_file");
}

/** A TOML value on one line, in words. */
export function readable(key: string, toml: string): string {
  if (key.startsWith("quotas.")) return quota(toml);
  if (key.endsWith(".tier")) return choice(toml.replace(/^"(.*)"$/, "$1"));
  let value: unknown;
  try {
    value = JSON.parse(toml);
  } catch {
    return toml;
  }
  if (typeof value === "boolean") return t(value ? "value_on" : "value_off");
  if (typeof value === "number") return number(value, 1);
  if (Array.isArray(value)) return value.join(", ") || t(key.startsWith("lend.") ? "value_no_apps" : "value_nobody");
  return String(value);
}

/** `{ group = "interns", each = true, tokens_per_day = 100000 }` as a sentence. */
function quota(toml: string): string {
  const text = (name: string) => new RegExp(`\\b${name} = "([^"]*)"`).exec(toml)?.[1];
  const tokens = /\btokens_per_day = (\d+)/.exec(toml)?.[1];
  if (tokens === undefined) return toml;
  const [group, user, model, each] = [text("group"), text("user"), text("model"), toml.includes("each = true")];
  const who =
    user ??
    (group ? t(each ? "quota_each_group" : "quota_all_group", { group }) : t(each ? "quota_each" : "quota_all"));
  const all = t("quota_tokens", { n: Number(tokens), who });
  return model ? t("quota_model", { quota: all, model }) : all;
}

/** A rule of the organisation as its own list shows it. */
export type OrgLine = { key: string; title: string; help: string; value: string; source: RuleSource; notes: string[] };

/** What only the organisation decides: what is about one label together, under its name. */
export function orgLines(rules: readonly OrgRuleView[]): { label: string; lines: OrgLine[] }[] {
  const parts: { label: string; lines: OrgLine[] }[] = [];
  for (const { key, value, source, said: others } of rules) {
    const label = /^labels\.([^.]+)/.exec(key)?.[1] ?? "";
    const found = wordOf(key);
    const named = found && !label && !key.startsWith("quotas.") ? found.name : "";
    const line: OrgLine = {
      key,
      title: named ? t("rule_named", { title: titleOf(key), name: named }) : titleOf(key),
      help: helpOf(key),
      value: key === `labels.${label}` ? "" : readable(key, value),
      source,
      notes: others.map((other) => said(other, key)).filter(Boolean),
    };
    const part = parts.find((part) => part.label === label);
    if (part) part.lines.push(line);
    else parts.push({ label, lines: [line] });
  }
  return parts;
}

/** What a part of {@link orgLines} is called. */
export function partTitle(label: string): string {
  return t("rule_named", { title: t("chat_label"), name: labelName(label) });
}

/** Whose word it is that cannot be followed, where something cannot. */
export function brokenBy(rules: RulesView | undefined): "settings" | "file" | "pause" | "policy" | undefined {
  if (!rules?.broken) return undefined;
  if (rules.broken.includes(rules.settings_file)) return "settings";
  if (rules.machine_file && rules.broken.includes(rules.machine_file)) return "file";
  return /\bpause\.json\b/.test(rules.broken) ? "pause" : "policy";
}

/** A number as it was typed, where it is one within its range. */
export function typedNumber(text: string, { min, max }: { min: number; max: number }): number | null {
  const value = Number(text.trim().replace(",", "."));
  return text.trim() !== "" && Number.isFinite(value) && value >= min && value <= max ? value : null;
}
