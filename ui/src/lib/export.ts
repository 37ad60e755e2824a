import { type Backend, ask } from "./backend";
import type { Talks } from "./chat/talks.svelte";
import { RAN_REPLY_MAX, type RanHere } from "./door";
import { prefs } from "./prefs.svelte";

/** All of the log, page by page. */
export async function allThatRan(backend: Backend): Promise<RanHere[]> {
  const all: RanHere[] = [];
  for (;;) {
    const { jobs } = await ask(backend, { call: "log", limit: RAN_REPLY_MAX, before: all.at(-1)?.id ?? null }, "log");
    all.push(...jobs);
    if (jobs.length < RAN_REPLY_MAX) return all;
  }
}

/** Everything that Lull keeps about a person here, as one JSON document. No key is in it. */
export async function everything(backend: Backend, talks: Talks): Promise<string> {
  const [ran, usage, rules, stored, keys, conversations] = await Promise.all([
    allThatRan(backend),
    ask(backend, { call: "usage" }, "usage"),
    ask(backend, { call: "rules" }, "rules"),
    ask(backend, { call: "stored" }, "stored"),
    ask(backend, { call: "keys" }, "keys"),
    talks.all(),
  ]);
  const whole = {
    exported: new Date().toISOString(),
    ran_here: ran,
    usage: usage.days,
    rules: rules.rules,
    preferences: prefs.kept,
    keys: keys.keys,
    stored: stored.things,
    conversations,
  };
  return JSON.stringify(whole, null, 2);
}

/** A file's name with the day in it. */
export const dated = (name: string, ending: string): string => `${name}-${new Date().toISOString().slice(0, 10)}.${ending}`;
