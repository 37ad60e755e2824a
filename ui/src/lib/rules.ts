import type { Control, RuleSaid, RuleUnit, RuleValue, RuleView } from "./door";
import { number } from "./format";
import { type Key, t } from "./words";

/** A rule's key, and the word that its title and help are called by. */
const WORDS = {
  "lend.enabled": "set_enabled",
  "lend.idle_minutes": "set_idle",
  "lend.hours": "set_hours",
  "lend.on_battery": "set_battery",
  "lend.metered": "set_metered",
  "lend.calls": "set_calls",
  "lend.films": "set_films",
  "lend.full_screen": "set_full_screen",
  "lend.remote": "set_remote",
  "lend.apps": "set_apps",
  "lend.other_cores": "set_cores",
  "lend.max_celsius": "set_celsius",
  "lend.threads": "set_threads",
  "lend.memory_percent": "set_memory",
  "lend.disk_gib": "set_disk",
  "lend.watts_per_thread": "set_watts",
  "sandbox.tier": "set_tier",
} as const satisfies Record<string, Key>;
type Known = keyof typeof WORDS;

const SECTIONS = [
  { title: "section_when", keys: ["lend.enabled", "lend.idle_minutes", "lend.hours", "lend.on_battery", "lend.metered"] },
  {
    title: "section_stops",
    keys: ["lend.calls", "lend.films", "lend.full_screen", "lend.remote", "lend.apps", "lend.other_cores", "lend.max_celsius"],
  },
  { title: "section_limits", keys: ["lend.threads", "lend.memory_percent", "lend.disk_gib", "lend.watts_per_thread"] },
  { title: "section_safety", keys: ["sandbox.tier"] },
] as const satisfies { title: Key; keys: Known[] }[];

const known = (key: string): key is Known => key in WORDS;

/** The rules as a page shows them. One that this window does not know yet stands with the last, under its own key. */
export function sections(rules: readonly RuleView[]): { title: string; rules: RuleView[] }[] {
  const of = (key: string) => rules.find((rule) => rule.key === key);
  const parts = SECTIONS.map(({ title, keys }) => ({ title: t(title), rules: keys.flatMap((key: Known) => of(key) ?? []) }));
  parts.at(-1)?.rules.push(...rules.filter(({ key }) => !known(key)));
  return parts.filter(({ rules }) => rules.length > 0);
}

export function titleOf(key: string): string {
  return known(key) ? t(WORDS[key]) : key;
}

export function helpOf(key: string): string {
  return known(key) ? t(`${WORDS[key]}_help`) : "";
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
export function said({ source, said }: RuleSaid): string {
  const value = said === "true" ? t("value_on") : said === "false" ? t("value_off") : said;
  return source === "default" ? "" : t(source === "settings" ? "said_by_you" : "said_by_organisation", { value });
}

/** Whether the organisation said something about it, whether or not that counts. */
export function decided(rule: RuleView): boolean {
  return rule.source === "organisation" || rule.said.some(({ source }) => source === "organisation");
}

/** A number as it was typed, where it is one within its range. */
export function typedNumber(text: string, { min, max }: { min: number; max: number }): number | null {
  const value = Number(text.trim().replace(",", "."));
  return text.trim() !== "" && Number.isFinite(value) && value >= min && value <= max ? value : null;
}
