import type { LendingView, Reason, StatusView } from "./door";
import { moment, span } from "./format";
import { count, t } from "./words";

/** What the sign shows. Each differs by shape. */
export type Mood = "lending" | "waiting" | "yielding" | "paused" | "off" | "silent";

/** Lending, as a person reads it. */
export type Headline = { mood: Mood; title: string; reason: string; until: string; way?: string };

/** Under this the countdown says *any moment*. */
const SOON_MS = 1_000;

export function headline(status: Pick<StatusView, "lending" | "relay"> | undefined, now: number): Headline {
  if (!status) return { mood: "silent", title: t("title_starting"), reason: "", until: "" };
  const view = status.lending;
  switch (view.lending) {
    case "off":
      return { mood: "off", title: t("title_off"), reason: reasonWords(view.reason), until: "", way: wayOut(view.reason) };
    case "waiting":
      return {
        mood: "waiting",
        title: t("title_waiting"),
        reason: reasonWords(view.reason),
        until: left(view.until, now, "until_waiting"),
      };
    case "lending": {
      // A machine that nobody can reach, or that has nothing to lend with, does not lend, whatever it would like.
      const cannot = status.relay.link === "down" ? t("no_connection") : view.slots === 0 ? t("no_model") : "";
      if (cannot && !view.finishing) return { mood: "waiting", title: t("title_waiting"), reason: cannot, until: "" };
      const busy = view.slots - view.free_slots;
      const reason = view.finishing ? t("finishing") : busy > 0 ? count("lending", busy) : t("lending_idle");
      return { mood: "lending", title: t(view.finishing ? "title_finishing" : "title_lending"), reason, until: "" };
    }
    case "yielding":
      return {
        mood: "yielding",
        title: t("title_yielding"),
        reason: reasonWords(view.reason),
        until: left(view.until, now, "until_yielding"),
      };
    case "paused":
      return {
        mood: "paused",
        title: t("title_paused"),
        reason: t("paused"),
        until: view.until === null ? t("until_you_resume") : left(view.until, now, "until_paused"),
      };
  }
}

function left(until: number | null, now: number, key: "until_waiting" | "until_yielding" | "until_paused"): string {
  if (until === null) return "";
  if (until - now < SOON_MS) return t("until_any_moment");
  const rest = span(until - now);
  return key === "until_yielding" ? t(key, { left: rest }) : t(key, { moment: moment(until, now), left: rest });
}

/** What a person can do about a reason that no time mends. */
function wayOut({ because }: Reason): string {
  const known = because === "organisation" || because === "rules_broken" || because === "no_worker";
  return known ? t(`way_off_${because}`) : "";
}

/** The words after a state's name. */
export function reasonWords(reason: Reason): string {
  switch (reason.because) {
    case "not_agreed":
    case "organisation":
    case "paused":
    case "finishing":
    case "just_left":
    case "outside_hours":
    case "settling":
      return t(reason.because);
    case "rules_broken":
    case "no_worker":
      return reason.why ? t("because", { text: t(reason.because), why: reason.why }) : t(reason.because);
    case "in_use":
      return named(t(`in_use_${reason.signal}`), reason.what);
    case "unknown":
      return named(t(`unknown_${reason.signal}`), reason.why);
  }
}

function named(text: string, what: string): string {
  return what ? t("named", { text, what }) : text;
}

/** Whether something happens by itself at a moment that a person may want to see come. */
export function counts(view: LendingView | undefined): boolean {
  return view !== undefined && "until" in view && view.until !== null;
}
