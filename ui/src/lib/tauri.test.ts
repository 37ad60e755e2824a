import { clearMocks, mockIPC } from "@tauri-apps/api/mocks";
import { afterEach, expect, test, vi } from "vitest";

import type { ChatEvent, Event } from "./door";
import { inApp, tauriBackend } from "./tauri";

type Sent = { request?: unknown; channel?: { onmessage: (message: unknown) => void }; id?: number };

/** The app's program, as far as a test answers for it. */
function program(answer: (command: string, sent: Sent) => unknown): [string, Sent][] {
  const heard: [string, Sent][] = [];
  mockIPC((command, sent) => {
    heard.push([command, sent as Sent]);
    return answer(command, sent as Sent);
  });
  return heard;
}
afterEach(() => clearMocks());

test("a page knows where it is", () => {
  expect(inApp()).toBe(false);
  program(() => null);
  expect(inApp()).toBe(true);
});

test("a call is forwarded, and a fault comes back with its code", async () => {
  program((_, { request }) => {
    if ((request as { call: string }).call === "resume") return { reply: "done" };
    throw { code: "not_enrolled", message: "no organisation" };
  });
  expect(await tauriBackend().call({ call: "resume" })).toEqual({ reply: "done" });
  await expect(tauriBackend().call({ call: "status" })).rejects.toMatchObject({ code: "not_enrolled", message: "no organisation" });
});

test("events and the state of the line come on one channel, until it is given up", async () => {
  const heard = program(() => null);
  const events: Event[] = [];
  const lines: boolean[] = [];
  const stop = tauriBackend().events((event) => events.push(event), (open) => lines.push(open));
  await expect.poll(() => heard.length).toBe(1);
  const channel = heard[0]?.[1].channel;
  for (const message of [{ heard: true }, { event: "models" }, { heard: false }]) channel?.onmessage(message);
  stop();
  channel?.onmessage({ event: "status" });
  expect([events, lines]).toEqual([[{ event: "models" }], [true, false]]);
});

test("a chat is stopped by its number, even before that is known, and says nothing more", async () => {
  let begin: (id: number) => void = () => {};
  const heard = program((command) => (command === "chat" ? new Promise((done) => (begin = done)) : null));
  const events: ChatEvent[] = [];
  const { stop } = tauriBackend().chat({ model: "m", messages: [] }, (event) => events.push(event));
  await expect.poll(() => heard.length).toBe(1);
  heard[0]?.[1].channel?.onmessage({ chat: "queued", ahead: 0 });
  stop();
  heard[0]?.[1].channel?.onmessage({ chat: "queued", ahead: 1 });
  begin(7);
  await expect.poll(() => heard.at(-1)).toMatchObject(["stop_chat", { id: 7 }]);
  expect(events).toEqual([{ chat: "queued", ahead: 0 }]);
});

test("a question that is refused fails like an answer", async () => {
  program(() => {
    throw { code: "model_unknown", message: "no such model" };
  });
  const on = vi.fn();
  tauriBackend().chat({ model: "m", messages: [] }, on);
  await expect.poll(() => on.mock.calls).toEqual([[{ chat: "failed", code: "model_unknown", message: "no such model" }]]);
});
