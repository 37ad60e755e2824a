import { expect, test } from "vitest";

import { rulesOf } from "../../dev/own.ts";
import type { RuleView } from "./door";
import { prefs } from "./prefs.svelte";
import { decided, said, sections, shown, titleOf, typedNumber } from "./rules";

const { rules } = rulesOf("organisation", new Map());
const rule = (key: string) => rules.find((rule) => rule.key === key) as RuleView;

test("every rule is shown once, and one that is not known yet as well", () => {
  const extra: RuleView = { ...rule("lend.enabled"), key: "lend.moon" };
  const all = sections([...rules, extra]).flatMap(({ rules }) => rules);
  expect(all.map(({ key }) => key).sort()).toEqual([...rules.map(({ key }) => key), "lend.moon"].sort());
  expect(titleOf("lend.moon")).toBe("lend.moon");
  expect(new Set(rules.map(({ key }) => titleOf(key))).size).toBe(rules.length);
});

test("values and what was said instead are words", () => {
  prefs.lang = "en";
  const words = (key: string) => shown(key, rule(key).control, rule(key).value);
  expect(words("lend.enabled")).toBe("Off");
  expect(words("lend.idle_minutes")).toBe("15 minutes");
  expect(words("lend.threads")).toBe("As many as fit");
  expect(words("lend.hours")).toBe("Mon-Fri 18:00-08:00; Sat-Sun");
  expect(shown("lend.hours", { control: "hours" }, { value: "hours", is: [] })).toBe("Always");
  expect(rule("lend.enabled").said.map(said)).toEqual(["You chose: On"]);
  expect(said({ source: "default", said: "5" })).toBe("");
  expect(rules.filter(decided).map(({ key }) => key)).toEqual(["lend.enabled", "lend.idle_minutes", "lend.hours", "sandbox.tier"]);
});

test("a number is one only within its range, with either decimal mark", () => {
  const range = { min: 1, max: 240 };
  expect([" 12 ", "1", "240", "1,5"].map((text) => typedNumber(text, range))).toEqual([12, 1, 240, 1.5]);
  expect(["", "0", "241", "ten", "1e9", "1.2.3"].map((text) => typedNumber(text, range))).toEqual(Array(6).fill(null));
});
