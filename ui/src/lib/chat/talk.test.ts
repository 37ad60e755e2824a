import { expect, test, vi } from "vitest";

import type { Backend } from "../backend";
import type { ChatEvent, ChatRequest } from "../door";
import type { Body } from "./kept";
import { Talk, withFiles } from "./talk.svelte";

/** A pool that answers only what the test says. */
function pool() {
  const asked: ChatRequest[] = [];
  let say: (event: ChatEvent) => void = () => {};
  const stop = vi.fn();
  const backend: Backend = {
    call: () => Promise.reject(new Error("not asked")),
    events: () => () => {},
    chat: (request, on) => {
      asked.push(request);
      say = on;
      return { stop };
    },
    save: () => Promise.resolve(true),
    app: false,
  };
  const kept: Body[] = [];
  const keep = vi.fn((_, body: Body) => void kept.push(structuredClone(body)));
  const talk = new Talk({ backend, keep }, { id: "t", title: "", created: 1, updated: 1 });
  const token = (text: string, position = 0) => say({ chat: "token", position, id: 1, text });
  const done = () =>
    say({ chat: "done", finish: "stop", usage: { prompt_tokens: 3, completion_tokens: 11 }, timings: { grant_us: 1, first_token_us: 500_000, total_us: 1_500_000 } });
  return { asked, kept, stop, talk, token, done, say: (event: ChatEvent) => say(event) };
}
const last = <T>(list: T[]) => list.at(-1);

test("a question is kept before it is asked, and the answer with where it came from", () => {
  const { talk, asked, kept, token, done, say } = pool();
  talk.system = "Be brief.";
  talk.send("Why?\nReally?", [], "m");
  expect(last(kept)?.turns.map((turn) => turn.text)).toEqual(["Why?\nReally?", ""]);
  expect(talk.title).toBe("Why?");
  expect(asked[0]?.messages).toEqual([
    { role: "system", content: "Be brief." },
    { role: "user", content: "Why?\nReally?" },
  ]);
  say({ chat: "started", job: "j", by: { node: "n", name: "desk-0", model: "h", machine: "" } });
  say({ chat: "started", job: "j", by: { node: "n", name: "desk-1", model: "h", machine: "8 threads" } });
  token("Be");
  token("cause.");
  done();
  expect(last(kept)?.turns[1]).toMatchObject({ text: "Because.", state: "done", by: { name: "desk-1" }, moved: 1 });
  expect(talk.turns[1]?.speed).toBeCloseTo(11);
});

test("stop keeps what arrived and hears nothing more", () => {
  const { talk, token, stop, kept } = pool();
  talk.send("Q", [], "m");
  token("half");
  talk.stop();
  token(" more");
  expect(stop).toHaveBeenCalled();
  expect(last(kept)?.turns[1]).toMatchObject({ text: "half", state: "stopped" });
  expect(talk.turns[1]?.text).toBe("half");
  expect(talk.answering).toBeUndefined();
});

test("a failure keeps the question, what arrived and the fault", () => {
  const { talk, token, say, kept } = pool();
  talk.send("Q", [], "m");
  token("half");
  say({ chat: "failed", code: "lender_lost", message: "gone" });
  expect(last(kept)?.turns).toMatchObject([{ text: "Q" }, { text: "half", state: "failed", fault: { code: "lender_lost" } }]);
});

test("another answer replaces the old one, is asked with another seed, and can be taken back", () => {
  const { talk, token, done, asked } = pool();
  talk.send("Q", [], "m");
  token("one");
  done();
  const [, first] = talk.turns;
  if (!first) throw new Error("no answer");
  const undo = talk.again(first, "n");
  expect(asked[1]?.messages).toEqual([{ role: "user", content: "Q" }]);
  expect(asked[1]?.model).toBe("n");
  expect(asked[1]?.sampling?.seed).not.toBe(asked[0]?.sampling?.seed);
  undo();
  expect(talk.turns.map((turn) => turn.text)).toEqual(["Q", "one"]);
});

test("an edited question drops what came after it, until that is undone", () => {
  const { talk, token, done, asked } = pool();
  talk.send("Q1", [], "m");
  token("A1");
  done();
  talk.send("Q2", [], "m");
  token("A2");
  done();
  const [first] = talk.turns;
  if (!first) throw new Error("no question");
  const undo = talk.edit(first, "Q1 better", "m");
  expect(last(asked)?.messages).toEqual([{ role: "user", content: "Q1 better" }]);
  undo();
  expect(talk.turns.map((turn) => turn.text)).toEqual(["Q1", "A1", "Q2", "A2"]);
});

test("an answer that the window's end cut off is not under way for ever", () => {
  const body: Body = { id: "t", model: "m", label: "internal", system: "", turns: [{ id: "1", role: "assistant", text: "half", files: [], state: "streaming" }] };
  const around = { backend: {} as Backend, keep: () => {} };
  expect(new Talk(around, { id: "t", title: "", created: 1, updated: 1 }, body).turns[0]?.state).toBe("stopped");
});

test("a file is fenced so that nothing in it ends the fence", () => {
  expect(withFiles("Look.", [{ name: "a.md", text: "```\ncode\n```" }])).toBe("a.md:\n````\n```\ncode\n```\n````\n\nLook.");
});
