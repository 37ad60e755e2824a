import { type Backend, ask, faultOf } from "./backend";
import type { Prefs as Kept } from "./door";
import { toasts } from "./toast.svelte";
import type { Lang } from "./words";

export type Theme = "system" | "light" | "dark";

/** What the first paint needs before the node answers; the node's word replaces it. */
const PAINT = "lull.paint";
/** The model that was asked last: a convenience of this window alone. */
const MODEL = "lull.model";
const MILLI = 1_000;

const NONE: Kept = { lang: null, theme: null, autostart: null, welcomed: false, price_milli_per_kwh: null };

/** What the person prefers, kept by the node. What is changed before it can be asked is told to it when it can. */
class Prefs {
  #kept = $state.raw<Kept>({ ...NONE, ...painted() });
  #model = $state<string | null>(read(MODEL));
  /** Whether the node's word is known. */
  known = $state(false);
  #untold: Partial<Kept> = {};
  #backend: Backend | undefined;

  get lang(): Lang {
    return this.#kept.lang === "en" || this.#kept.lang === "de" ? this.#kept.lang : systemLang();
  }
  set lang(lang: Lang) {
    this.#change({ lang });
  }

  get theme(): Theme {
    return this.#kept.theme === "light" || this.#kept.theme === "dark" ? this.#kept.theme : "system";
  }
  set theme(theme: Theme) {
    this.#change({ theme: theme === "system" ? null : theme });
  }

  /** Price of a kilowatt-hour in the person's currency; not set: no cost is shown. */
  get price_per_kwh(): number | null {
    return this.#kept.price_milli_per_kwh === null ? null : this.#kept.price_milli_per_kwh / MILLI;
  }
  set price_per_kwh(price: number | null) {
    this.#change({ price_milli_per_kwh: price === null ? null : Math.round(price * MILLI) });
  }

  get autostart(): boolean | null {
    return this.#kept.autostart;
  }
  set autostart(autostart: boolean | null) {
    this.#change({ autostart });
  }

  get welcomed(): boolean {
    return this.#kept.welcomed;
  }
  set welcomed(welcomed: boolean) {
    this.#change({ welcomed });
  }

  get model(): string | null {
    return this.#model;
  }
  set model(model: string | null) {
    this.#model = model;
    write(MODEL, model);
  }

  /** As the node keeps them. */
  get kept(): Kept {
    return this.#kept;
  }

  /** Asks the node. Fails silently: whoever asks for the status says when the node is gone. */
  async read(backend: Backend): Promise<void> {
    this.#backend = backend;
    try {
      const { prefs } = await ask(backend, { call: "prefs" }, "prefs");
      this.#kept = { ...prefs, ...this.#untold };
      this.known = true;
    } catch {
      return;
    }
    if (Object.keys(this.#untold).length > 0) await this.#tell();
  }

  #change(part: Partial<Kept>): void {
    this.#kept = { ...this.#kept, ...part };
    this.#untold = { ...this.#untold, ...part };
    if (this.known) void this.#tell();
  }

  async #tell(): Promise<void> {
    const telling = this.#untold;
    this.#untold = {};
    try {
      await this.#backend?.call({ call: "set_prefs", prefs: this.#kept });
    } catch (error) {
      // Told with the next change, or when the node answers again.
      this.#untold = { ...telling, ...this.#untold };
      const { message, code } = faultOf(error);
      toasts.say(`${message} (${code})`, { tone: "wrong" });
    }
  }
}

export const prefs = new Prefs();

/** Shows theme and language, and keeps a copy for the next first paint. Called once, where effects live. */
export function keepPrefs(): void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const show = () => {
    const system = dark.matches ? "dark" : "light";
    document.documentElement.dataset.theme = prefs.theme === "system" ? system : prefs.theme;
  };
  $effect(() => {
    const { theme, lang } = prefs.kept;
    write(PAINT, JSON.stringify({ theme, lang }));
    document.documentElement.lang = prefs.lang;
    show();
  });
  $effect(() => {
    dark.addEventListener("change", show);
    return () => dark.removeEventListener("change", show);
  });
}

function systemLang(): Lang {
  const languages = typeof navigator === "undefined" ? [] : navigator.languages;
  return languages.find((lang) => /^(de|en)/i.test(lang))?.toLowerCase().startsWith("de") ? "de" : "en";
}

function painted(): Pick<Kept, "theme" | "lang"> {
  try {
    const { theme, lang } = JSON.parse(read(PAINT) ?? "{}") as Partial<Kept>;
    return { theme: theme ?? null, lang: lang ?? null };
  } catch {
    return { theme: null, lang: null };
  }
}

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, text: string | null): void {
  try {
    if (text === null) localStorage.removeItem(key);
    else localStorage.setItem(key, text);
  } catch {
    // Forbidden storage: it lasts as long as the window.
  }
}
