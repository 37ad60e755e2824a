// The window's words as they are shipped, so that a test names a word by its key and not by its present text.
import { readFileSync } from "node:fs";

function catalogue(name) {
  const source = readFileSync(new URL(`../../ui/src/lib/words/${name}.gen.ts`, import.meta.url), "utf8");
  const from = source.indexOf(`export const ${name}`);
  if (from < 0) throw new Error(`the catalogue has no ${name}`);
  const lines = source.slice(from, source.indexOf("\n}", from)).split("\n").slice(1);
  return Object.fromEntries(
    lines.map((line) => {
      const [, key, text] = /^ {2}(\w+): (".*"),$/.exec(line) ?? [];
      if (!key) throw new Error(`not a word: ${line}`);
      return [key, JSON.parse(text)];
    }),
  );
}

const words = { en: catalogue("en"), de: catalogue("de") };

/** A word by its key, as a person reads it: placeholders filled in, marks of code gone. */
export function word(key, values = {}, lang = "en") {
  const text = words[lang][key];
  if (text === undefined) throw new Error(`no word has the key ${key}`);
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole).replaceAll("`", "");
}

/** What matches a word whatever stands in its placeholders. */
export function any(key, lang = "en") {
  const quoted = word(key, {}, lang).replace(/[.*+?^$()|[\]\\]/g, "\\$&");
  return new RegExp(quoted.replace(/\{\w+\}/g, ".+?"), "i");
}
