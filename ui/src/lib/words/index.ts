import { prefs } from "../prefs.svelte";
import { de } from "./de.gen";
import { type Key, en } from "./en.gen";

export type { Key } from "./en.gen";
export const LANGS = ["en", "de"] as const;
export type Lang = (typeof LANGS)[number];

const catalogues: Record<Lang, Record<Key, string>> = { en, de };

/** The names in braces of a text. */
type Holes<S extends string> = S extends `${string}{${infer Hole}}${infer Rest}` ? Hole | Holes<Rest> : never;
type Fill<K extends Key> = Holes<(typeof en)[K]> extends never
  ? []
  : [fill: Record<Holes<(typeof en)[K]>, string | number>];
/** Keys that exist as `NAME_one` and `NAME_many`. */
type Counted = Key extends infer K ? (K extends `${infer Name}_many` ? Name : never) : never;

/** A text in the chosen language. Numbers are written as that language writes them. */
export function t<K extends Key>(key: K, ...[fill]: Fill<K>): string {
  return filled(catalogues[prefs.lang][key], fill);
}

/** Whether there is a text of that name. */
export function has(key: string): key is Key {
  return key in en;
}

/** The text for so many of something. */
export function count<N extends Counted>(name: N, n: number): string {
  const one = new Intl.PluralRules(prefs.lang).select(n) === "one";
  return filled(catalogues[prefs.lang][`${name}_${one ? "one" : "many"}` as Key], { n });
}

function filled(text: string, fill: Record<string, string | number> | undefined): string {
  if (!fill) return text;
  return text.replace(/\{(\w+)\}/g, (hole, name: string) => {
    const value = fill[name];
    if (value === undefined) return hole;
    return typeof value === "number" ? new Intl.NumberFormat(prefs.lang).format(value) : value;
  });
}
