import type { Lang } from "./words";

/** What a person chose for this window. Kept in this browser; the node does not know it. */
type Prefs = {
  theme: "system" | "light" | "dark";
  lang: Lang;
  /** Price of a kilowatt-hour in the person's currency; not set: no cost is shown. */
  price_per_kwh: number | null;
  /** Whether the first-run question was answered here. */
  answered: boolean;
  /** The model asked last. */
  model: string | null;
};

const KEY = "lull.prefs";

function load(): Prefs {
  const languages = typeof navigator === "undefined" ? [] : navigator.languages;
  const german = languages.find((lang) => /^(de|en)/i.test(lang))?.toLowerCase().startsWith("de") ?? false;
  const prefs: Prefs = { theme: "system", lang: german ? "de" : "en", price_per_kwh: null, answered: false, model: null };
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Prefs>;
    if (kept.theme === "light" || kept.theme === "dark") prefs.theme = kept.theme;
    if (kept.lang === "en" || kept.lang === "de") prefs.lang = kept.lang;
    if (typeof kept.price_per_kwh === "number" && kept.price_per_kwh > 0) prefs.price_per_kwh = kept.price_per_kwh;
    prefs.answered = kept.answered === true;
    if (typeof kept.model === "string") prefs.model = kept.model;
  } catch {
    // Unreadable or forbidden storage: the defaults.
  }
  return prefs;
}

export const prefs = $state(load());

/** Keeps what is changed, and shows theme and language. Called once, where effects live. */
export function keepPrefs(): void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const show = () => {
    const system = dark.matches ? "dark" : "light";
    document.documentElement.dataset.theme = prefs.theme === "system" ? system : prefs.theme;
  };
  $effect(() => {
    const text = JSON.stringify(prefs);
    try {
      localStorage.setItem(KEY, text);
    } catch {
      // Forbidden storage: the choice lasts as long as the window.
    }
    document.documentElement.lang = prefs.lang;
    show();
  });
  $effect(() => {
    dark.addEventListener("change", show);
    return () => dark.removeEventListener("change", show);
  });
}
