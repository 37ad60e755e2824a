import { afterEach, expect, test } from "vitest";

import { SIGNALS, type LendingView, type LinkView, type Reason } from "./door";
import { headline, reasonWords } from "./lending";
import { prefs } from "./prefs.svelte";

const NOW = new Date(2026, 10, 22, 14, 0).getTime();
const MINUTE = 60_000;
afterEach(() => void (prefs.lang = "en"));

const UP: LinkView = { link: "up", relay: "r", certificate_until_s: 0 };
const line = (lending: LendingView, relay: LinkView = UP) => {
  const { mood, title, reason, until } = headline({ lending, relay }, NOW);
  return [mood, title, reason, until].join(" | ");
};
const paused = (until: number | null): LendingView => ({ lending: "paused", until, words: "" });
const lending = (free_slots: number, finishing = false): LendingView => ({ lending: "lending", words: "", free_slots, slots: 2, finishing });

test("each state says what, why and until when", () => {
  prefs.lang = "en";
  expect(line(lending(2))).toBe("lending | Lending | ready, and nobody is asking | ");
  expect(line(lending(0))).toBe("lending | Lending | working on 2 questions | ");
  expect(line(lending(1, true))).toBe("lending | Finishing | stops after what runs now | ");
  expect(line(paused(NOW + 90 * MINUTE))).toBe("paused | Paused | as you asked | until 15:30 (1 h 30 min left)");
  expect(line(paused(NOW + 16 * 60 * MINUTE))).toBe("paused | Paused | as you asked | until tomorrow, 06:00 (16 h left)");
  expect(line(paused(null))).toBe("paused | Paused | as you asked | until you resume");
  expect(line({ lending: "waiting", reason: { because: "just_left" }, words: "", until: NOW + 2 * MINUTE })).toBe(
    "waiting | Waiting to lend | making sure that you are away | not before 14:02 (in 2 min)",
  );
  expect(line({ lending: "yielding", reason: { because: "in_use", signal: "input", what: "" }, words: "", until: NOW + 300 })).toBe(
    "yielding | Giving back | you are using this computer | this ends any moment",
  );
  expect(headline(undefined, NOW).mood).toBe("silent");
  const down: LinkView = { link: "down", relay: "r", reason: { code: "relay_unreachable", message: "" } };
  expect(line(lending(2), down)).toBe("waiting | Waiting to lend | your organisation's relay cannot be reached | ");
  expect(line({ ...lending(0), slots: 0 } as LendingView)).toBe("waiting | Waiting to lend | there is no working model on this computer | ");
  expect(line(paused(null), down)).toContain("Paused");
});

test("German", () => {
  prefs.lang = "de";
  expect(line(paused(NOW + 90 * MINUTE))).toBe(
    "paused | Pausiert | wie von Ihnen gewünscht | bis 15:30 Uhr (noch 1 Std. 30 Min.)",
  );
});

test("every reason has words of its own, and only what no time mends has a way out", () => {
  const reasons: Reason[] = [
    ...(["not_agreed", "organisation", "paused", "finishing", "just_left", "outside_hours", "settling"] as const).map((because) => ({ because })),
    { because: "rules_broken", why: "line 7" },
    { because: "no_worker", why: "" },
    ...SIGNALS.flatMap((signal): Reason[] => [
      { because: "in_use", signal, what: "" },
      { because: "unknown", signal, why: "no answer" },
    ]),
  ];
  expect(new Set(reasons.map(reasonWords)).size).toBe(reasons.length);
  const ways = reasons.filter((reason) => headline({ lending: { lending: "off", reason, words: "" }, relay: UP }, NOW).way);
  expect(ways.map(({ because }) => because)).toEqual(["organisation", "rules_broken", "no_worker"]);
});
