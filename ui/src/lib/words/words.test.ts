import { readFileSync, readdirSync } from "node:fs";
import { expect, test } from "vitest";

import { prefs } from "../prefs.svelte";
import { RULE_WORDS } from "../rule-words.gen";
import { de } from "./de.gen";
import { type Key, en } from "./en.gen";
import { count, t } from ".";

const keys = Object.keys(en) as Key[];
/** Beginnings of keys that are put together from a name of the door's types. */
const COMPOSED =
  /^(fault|way|in_use|unknown|layer|worker|tier|outcome|label|theme|nav|period|place|stored|unit|health|check)_/;
/** What only rules are called by. */
const OF_RULES = new Set<string>(RULE_WORDS.flatMap(([, word]) => [word, `${word}_help`]));
const holes = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

test("both languages have the same placeholders and the same code", () => {
  expect(Object.keys(de).sort()).toEqual([...keys].sort());
  for (const key of keys) {
    expect(holes(de[key]), key).toEqual(holes(en[key]));
    expect(de[key].split("`").length, key).toBe(en[key].split("`").length);
    expect(de[key].trim(), key).toBe(de[key]);
    expect(de[key], key).not.toBe("");
  }
});

test("no word is there that nobody says", () => {
  const sources = readdirSync("src", { recursive: true, encoding: "utf8" })
    .filter((path) => /\.(ts|svelte)$/.test(path) && !path.includes("words") && !path.endsWith(".test.ts"))
    .map((path) => readFileSync(`src/${path}`, "utf8"))
    .join("\n");
  const said = (key: string) => new RegExp(`["']${key}["']`).test(sources);
  const unused = keys.filter((key) => !COMPOSED.test(key) && !OF_RULES.has(key) && !said(key) && !said(key.replace(/_(one|many)$/, "")));
  expect(unused).toEqual([]);
});

test("numbers choose their form and are written as the language writes them", () => {
  prefs.lang = "en";
  expect(count("chat_tokens", 1)).toBe("1 token");
  expect(count("chat_tokens", 12_345)).toBe("12,345 tokens");
  prefs.lang = "de";
  expect(count("chat_tokens", 12_345)).toBe("12.345 Tokens");
  expect(t("chat_by", { name: "desk {n}" })).toBe("Antwort von desk {n}");
});
