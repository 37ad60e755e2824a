import type { RanHere } from "./door";
import { dayOf } from "./format";

export type Period = "day" | "week" | "month";

/** What a stretch of time gave. */
export type Sum = { jobs: number; tokens: number; ran_ms: number; energy_wh: number };
/** One bar: an hour of today, or a calendar day (days since 1970). */
export type Bar = Sum & { at: number };
export type Gave = { total: Sum; bars: Bar[] };

const DAYS: Record<Period, number> = { day: 1, week: 7, month: 30 };
const nothing = (): Sum => ({ jobs: 0, tokens: 0, ran_ms: 0, energy_wh: 0 });

/** Adds up what ran here: by hour for today, by calendar day for the last 7 or 30, today included. */
export function gave(jobs: readonly RanHere[], period: Period, now: number): Gave {
  const today = dayOf(now);
  const first = today - DAYS[period] + 1;
  const hourly = period === "day";
  const bars: Bar[] = Array.from({ length: hourly ? 24 : DAYS[period] }, (_, i) => ({
    ...nothing(),
    at: hourly ? i : first + i,
  }));
  const total = nothing();
  for (const job of jobs) {
    const day = dayOf(job.ended_unix_ms);
    if (day < first || day > today) continue;
    const bar = bars[hourly ? new Date(job.ended_unix_ms).getHours() : day - first];
    if (bar) add(bar, job);
    add(total, job);
  }
  return { total, bars };
}

function add(sum: Sum, job: RanHere): void {
  sum.jobs += 1;
  sum.tokens += job.prompt_tokens + job.completion_tokens;
  sum.ran_ms += job.ran_ms;
  sum.energy_wh += job.energy_wh;
}
