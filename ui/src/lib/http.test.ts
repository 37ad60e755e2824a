// @vitest-environment node
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

import { ScriptedNode } from "../../dev/node.ts";
import { doorOf } from "../../dev/plugin.ts";
import { DoorError } from "./backend";
import type { ChatEvent } from "./door";
import { httpBackend, login } from "./http";

const node = new ScriptedNode();
let server: Server;
let base = "";

beforeAll(async () => {
  const serve = doorOf(node);
  server = createServer((request, response) => serve(request, response, () => response.writeHead(404).end()));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void (server.closeAllConnections(), server.close()));
beforeEach(() => node.play("lending"));

function chat(text: string): { events: ChatEvent[]; over: Promise<ChatEvent>; stop(): void } {
  const events: ChatEvent[] = [];
  let stop = () => {};
  const over = new Promise<ChatEvent>((done) => {
    const request = { model: "m", messages: [{ role: "user" as const, content: text }] };
    ({ stop } = httpBackend(base).chat(request, (event) => {
      events.push(event);
      if (event.chat === "done" || event.chat === "failed") done(event);
    }));
  });
  return { events, over, stop: () => stop() };
}

test("a call is answered, and a fault is a DoorError with its code", async () => {
  expect(await httpBackend(base).call({ call: "status" })).toMatchObject({ reply: "status", org: "Acme" });
  node.play("no_worker");
  const refused = httpBackend(base).call({ call: "lend", on: true });
  await expect(refused).rejects.toMatchObject({ code: "unconfined", message: "no worker can run here" });
});

test("a node that is gone is not running, and a window without a session is unauthorized", async () => {
  node.play("gone");
  await expect(httpBackend(base).call({ call: "status" })).rejects.toMatchObject({ code: "not_running" });
  node.play("signed_out");
  await expect(httpBackend(base).call({ call: "status" })).rejects.toMatchObject({ code: "unauthorized" });
  await expect(login("wrong", base)).rejects.toBeInstanceOf(DoorError);
  await login("dev", base);
  expect(await httpBackend(base).call({ call: "log", limit: 3, before: null })).toMatchObject({ reply: "log" });
});

test("an answer streams in order and ends once", async () => {
  const { events, over } = chat("fast");
  expect(await over).toMatchObject({ chat: "done", finish: "stop" });
  const positions = events.flatMap((event) => (event.chat === "token" ? [event.position] : []));
  expect(positions).toEqual(positions.map((_, index) => index));
  expect(events.slice(0, 2).map(({ chat }) => chat)).toEqual(["queued", "started"]);
  expect(events.filter(({ chat }) => chat === "done")).toHaveLength(1);
});

test("a refused question fails with the node's code", async () => {
  expect(await chat("fail").over).toMatchObject({ chat: "failed", code: "no_lender" });
  node.play("signed_out");
  expect(await chat("fast").over).toMatchObject({ chat: "failed", code: "unauthorized" });
});

test("a node that goes away in the middle ends the answer with a fault", async () => {
  const { events, over } = chat("slow");
  await expect.poll(() => events.length).toBeGreaterThan(20);
  node.play("gone");
  expect(await over).toMatchObject({ chat: "failed", code: "not_running" });
});

test("a stream that ends without its last event is a fault, too", async () => {
  expect(await chat("drop fast").over).toMatchObject({ chat: "failed", code: "not_running" });
});

test("nothing is heard after stop", async () => {
  const { events, stop } = chat("slow");
  await expect.poll(() => events.length).toBeGreaterThan(5);
  stop();
  const heard = events.length;
  await new Promise((done) => setTimeout(done, 100));
  expect(events.length).toBe(heard);
});
