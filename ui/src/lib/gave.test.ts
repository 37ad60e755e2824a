import { expect, test } from "vitest";

import type { RanHere } from "./door";
import { gave } from "./gave";

const NOW = new Date(2026, 2, 30, 14, 0).getTime();
const job = (ended: Date): RanHere => ({
  id: 1,
  ended_unix_ms: ended.getTime(),
  model: "m",
  prompt_tokens: 10,
  completion_tokens: 5,
  ran_ms: 1_000,
  energy_wh: 0.5,
  outcome: "completed",
});
const jobs = [
  job(new Date(2026, 2, 30, 0, 0)),
  job(new Date(2026, 2, 30, 13, 59)),
  job(new Date(2026, 2, 29, 23, 59)),
  job(new Date(2026, 2, 24, 0, 0)),
  job(new Date(2026, 2, 23, 23, 59)),
  job(new Date(2026, 1, 28, 23, 59)),
];

test("periods are calendar days of this machine, also where clocks change", () => {
  expect(gave(jobs, "day", NOW).total).toEqual({ jobs: 2, tokens: 30, ran_ms: 2_000, energy_wh: 1 });
  expect(gave(jobs, "week", NOW).total.jobs).toBe(4);
  expect(gave(jobs, "month", NOW).total.jobs).toBe(5);
});

test("bars add up to the total and stand where they belong", () => {
  const { bars, total } = gave(jobs, "week", NOW);
  expect(bars.map((bar) => bar.jobs)).toEqual([1, 0, 0, 0, 0, 1, 2]);
  expect(bars.reduce((sum, bar) => sum + bar.tokens, 0)).toBe(total.tokens);
  const day = gave(jobs, "day", NOW).bars;
  expect(day).toHaveLength(24);
  expect([day[0]?.jobs, day[13]?.jobs]).toEqual([1, 1]);
});
