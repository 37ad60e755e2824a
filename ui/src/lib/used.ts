import type { UsedDay } from "./door";
import { dayOf } from "./format";

export type Span = "week" | "month" | "all";

/** What a stretch of time asked. */
export type Used = { answered: number; unanswered: number; prompt_tokens: number; completion_tokens: number };
/** One calendar day, in days since 1970. */
export type UsedBar = Used & { at: number };
export type UsedModel = Used & { model: string };

const DAYS = { week: 7, month: 30 } as const;
const DAY_MS = 86_400_000;
/** More bars say nothing. */
const BARS_MAX = 90;
const nothing = (): Used => ({ answered: 0, unanswered: 0, prompt_tokens: 0, completion_tokens: 0 });

export const tokens = (used: Used): number => used.prompt_tokens + used.completion_tokens;

/** Adds up what was asked: by calendar day, the last one today, and by model, the most used first. */
export function used(days: readonly UsedDay[], span: Span, now: number): { total: Used; bars: UsedBar[]; models: UsedModel[] } {
  const today = dayOf(now);
  const oldest = Math.min(today, ...days.map(({ day }) => number(day)));
  const first = span === "all" ? oldest : today - DAYS[span] + 1;
  const from = Math.max(first, today - BARS_MAX + 1);
  const bars = Array.from({ length: today - from + 1 }, (_, i): UsedBar => ({ ...nothing(), at: from + i }));
  const models = new Map<string, UsedModel>();
  const total = nothing();
  for (const row of days) {
    const at = number(row.day);
    if (at < first || at > today) continue;
    const model = models.get(row.model) ?? { ...nothing(), model: row.model };
    models.set(row.model, model);
    for (const sum of [total, model, bars[at - from]]) if (sum) add(sum, row);
  }
  return { total, bars, models: [...models.values()].sort((one, other) => tokens(other) - tokens(one)) };
}

/** Days since 1970 of `2026-11-23`. */
function number(day: string): number {
  return Math.round(Date.parse(`${day}T00:00:00Z`) / DAY_MS);
}

function add(sum: Used, row: Used): void {
  sum.answered += row.answered;
  sum.unanswered += row.unanswered;
  sum.prompt_tokens += row.prompt_tokens;
  sum.completion_tokens += row.completion_tokens;
}
