import { LABELS } from "./door";
import { prefs } from "./prefs.svelte";
import { t } from "./words";

const locale = () => (prefs.lang === "de" ? "de-DE" : "en-GB");
const DAY_MS = 86_400_000;

export function number(value: number, digits = 0): string {
  return new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(value);
}

/** 12,345 as 12.3k: for places where only the size matters. */
export function short(value: number): string {
  return new Intl.NumberFormat(locale(), { notation: "compact", maximumFractionDigits: 1 }).format(value);
}

export function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${number(value, unit < 2 || value >= 100 ? 0 : 1)} ${units[unit]}`;
}

/** A length of time in its two largest units. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const [s, min, h] = prefs.lang === "de" ? ["s", "Min.", "Std."] : ["s", "min", "h"];
  if (seconds < 60) return `${number(seconds)} ${s}`;
  if (seconds < 3600) return `${number(Math.round(seconds / 60))} ${min}`;
  const minutes = Math.round(seconds / 60);
  const rest = minutes % 60;
  return rest === 0 || minutes >= 6000
    ? `${number(Math.round(minutes / 60))} ${h}`
    : `${number(Math.floor(minutes / 60))} ${h} ${rest} ${min}`;
}

/** Seconds with a decimal where that says something. */
export function seconds(ms: number): string {
  return ms < 60_000 ? `${number(ms / 1000, ms < 10_000 ? 1 : 0)} s` : span(ms);
}

export function energy(wh: number): string {
  if (wh >= 1000) return `${number(wh / 1000, 2)} kWh`;
  return `${number(wh, wh < 0.1 ? 3 : wh < 1 ? 2 : wh < 10 ? 1 : 0)} Wh`;
}

export function price(value: number): string {
  return new Intl.NumberFormat(locale(), { minimumFractionDigits: 2, maximumFractionDigits: value < 0.1 ? 3 : 2 }).format(value);
}

export function time(unix_ms: number): string {
  return new Intl.DateTimeFormat(locale(), { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(unix_ms);
}

/** A moment as a person says it: the time today, else with its day. */
export function moment(unix_ms: number, now: number): string {
  const clock = prefs.lang === "de" ? `${time(unix_ms)} Uhr` : time(unix_ms);
  const days = dayOf(unix_ms) - dayOf(now);
  if (days === 0) return clock;
  if (Math.abs(days) === 1) {
    return `${new Intl.RelativeTimeFormat(locale(), { numeric: "auto" }).format(days, "day")}, ${clock}`;
  }
  const year = new Date(unix_ms).getFullYear() === new Date(now).getFullYear() ? {} : { year: "numeric" as const };
  const date = new Intl.DateTimeFormat(locale(), { day: "numeric", month: "long", ...year }).format(unix_ms);
  return `${date}, ${clock}`;
}

/** Days since 1970 on this machine's calendar. */
export function dayOf(unix_ms: number): number {
  const date = new Date(unix_ms);
  return Math.round(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / DAY_MS);
}

/** The short name of a calendar day, such as 14 Nov. */
export function shortDay(day: number): string {
  return new Intl.DateTimeFormat(locale(), { day: "numeric", month: "short", timeZone: "UTC" }).format(day * DAY_MS);
}

/** The name of a weekday, such as Tue. */
export function weekday(day: number): string {
  return new Intl.DateTimeFormat(locale(), { weekday: "short", timeZone: "UTC" }).format(day * DAY_MS);
}

export function capital(text: string): string {
  return text.charAt(0).toLocaleUpperCase(locale()) + text.slice(1);
}

export function outcome(name: string): string {
  if (name === "completed" || name === "cancelled" || name === "yielding") return t(`outcome_${name}`);
  return name;
}

/** A label in words; one that an organisation made up says itself. */
export function labelName(label: string): string {
  const known = LABELS.find((name) => name === label);
  return known ? t(`label_${known}`) : label;
}
