import { expect, test } from "vitest";

import { rulesOf } from "../../dev/own.ts";
import type { RuleView } from "./door";
import { sendable, termsOf, whyNotHere } from "./labels";
import { prefs } from "./prefs.svelte";
import { brokenBy, decided, helpOf, orgLines, readable, said, sections, shown, titleOf, typedNumber } from "./rules";

const view = rulesOf("organisation", new Map());
const { rules } = view;
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
  expect(rule("lend.enabled").said.map((other) => said(other))).toEqual(["You chose: On"]);
  expect(said({ source: "default", said: "5" })).toBe("");
  expect(said({ source: "policy", said: "30" }, "lend.idle_minutes")).toBe("Your organisation’s signed policy said: 30");
  expect(rules.filter(decided).map(({ key }) => key)).toEqual(["lend.enabled", "lend.idle_minutes", "lend.hours", "sandbox.tier"]);
});

test("a number is one only within its range, with either decimal mark", () => {
  const range = { min: 1, max: 240 };
  expect([" 12 ", "1", "240", "1,5"].map((text) => typedNumber(text, range))).toEqual([12, 1, 240, 1.5]);
  expect(["", "0", "241", "ten", "1e9", "1.2.3"].map((text) => typedNumber(text, range))).toEqual(Array(6).fill(null));
});

test("a key of the organisation's finds its words whatever it is named", () => {
  prefs.lang = "en";
  expect(titleOf("labels.confidential.lenders")).toBe("Machines that may see it");
  expect(titleOf("models.bytes.llama-3.1-8b")).toBe("Exact files of a model");
  expect(helpOf("labels.a.lenders")).toContain("groups");
  for (const none of ["labels..lenders", "labels.a.b.lenders", "labels.a.b", "sites.", "lend", ""]) expect(titleOf(none)).toBe(none);
});

test("what the organisation decides is in words, and what is about one label stands together", () => {
  prefs.lang = "en";
  const parts = orgLines(view.org);
  expect(parts.map(({ label, lines }) => [label, lines.length])).toEqual([["confidential", 3], ["patient-data", 2], ["", 5]]);
  const values = parts.flatMap(({ lines }) => lines.map(({ title, value }) => `${title} = ${value}`));
  expect(values).toContain("Machines that may see it = finance, servers");
  expect(values).toContain("How well models must be locked in for it = Fully");
  expect(values).toContain("A label of your own = ");
  expect(values).toContain("Site: berlin = berlin-office");
  expect(values).toContain("Quota = 100,000 tokens a day for each member of interns");
  expect(values).toContain("Quota = 50,000,000 tokens a day for all together");
  expect(readable("quotas.1", '{ user = "ada@acme", model = "qwen3-4b", tokens_per_day = 5 }')).toBe(
    "5 tokens a day for ada@acme, only with qwen3-4b",
  );
  expect(readable("use.groups", "[]")).toBe("Nobody");
  expect(readable("login.issuer", "'odd \\ text'")).toBe("'odd \\ text'");
});

test("a label that may not be sent, or does not run here, says why", () => {
  prefs.lang = "en";
  const labels = sendable(view);
  expect(labels.map(({ name, off }) => [name, off])).toEqual([
    ["Public", ""],
    ["Internal", ""],
    ["Confidential", "Only members of finance may send it."],
    ["patient-data", ""],
  ]);
  expect(view.labels.map(whyNotHere)).toEqual([
    "",
    "",
    "It runs only on computers of finance, servers, and this one is of none of them.",
    "It runs only on computers nobody sits at.",
  ]);
  expect(termsOf(view.labels[3]!, "Acme").map(([, says]) => says)).toEqual([
    "Everybody in Acme",
    "All, if nobody sits at them",
    "Anywhere",
    "As on each computer",
  ]);
  const [open] = view.labels;
  expect(whyNotHere({ ...open!, why: "another rule says no (rule moon.phase)" })).toBe("another rule says no (rule moon.phase)");
  expect(sendable(undefined).map(({ label }) => label)).toEqual(["public", "internal", "confidential"]);
});

test("who has to mend what is broken is told from where it stands", () => {
  const by = (broken: string) => brokenBy({ ...view, broken });
  expect(by(`${view.settings_file}:7:1: \`idle\` is not a known key`)).toBe("settings");
  expect(by(`${view.machine_file}:1:1: this is not TOML`)).toBe("file");
  expect(by("/home/mara/pause.json does not say until when this machine is paused")).toBe("pause");
  expect(by("the organisation's policy cannot be followed: it ended, and no newer one has come")).toBe("policy");
  expect(brokenBy(view)).toBe(undefined);
  const followed = sendable({ ...view, broken: "the organisation's policy (version 3 or later) has not come yet" });
  expect(followed.filter(({ off }) => !off).map(({ label }) => label)).toEqual(["public"]);
});
