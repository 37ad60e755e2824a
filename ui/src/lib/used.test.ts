import { expect, test } from "vitest";

import type { UsedDay } from "./door";
import { used } from "./used";

const NOW = new Date(2026, 2, 30, 14, 0).getTime();
const row = (day: string, model = "m"): UsedDay => ({ day, model, answered: 2, unanswered: 1, prompt_tokens: 10, completion_tokens: 5 });
const DAYS = [row("2026-03-30"), row("2026-03-30", "n"), row("2026-03-29", "n"), row("2026-03-24"), row("2026-03-23"), row("2025-12-01")];

test("spans are calendar days, also where clocks change, and sums add up by day and by model", () => {
  const week = used(DAYS, "week", NOW);
  expect(week.bars.map(({ answered }) => answered)).toEqual([2, 0, 0, 0, 0, 2, 4]);
  expect(week.total).toEqual({ answered: 8, unanswered: 4, prompt_tokens: 40, completion_tokens: 20 });
  expect(week.models.map(({ model, answered }) => [model, answered])).toEqual([["m", 4], ["n", 4]]);
  expect(used(DAYS, "month", NOW).total.answered).toBe(10);
});

test("all of it is in the sums even where there are more days than bars", () => {
  const all = used(DAYS, "all", NOW);
  expect(all.total.answered).toBe(12);
  expect(all.bars).toHaveLength(90);
  expect(used([], "all", NOW).bars).toHaveLength(1);
});
