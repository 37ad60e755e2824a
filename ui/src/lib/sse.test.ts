import { expect, test } from "vitest";

import { SseReader } from "./sse";

const STREAM = ': beat\n\ndata: {"a":1}\n\nevent: x\r\ndata:two\r\ndata: lines\r\n\r\ndata: ü\n\n';
const DATA = ['{"a":1}', "two\nlines", "ü"];

test("events are the same however the network cuts them", () => {
  for (let size = 1; size <= STREAM.length; size++) {
    const reader = new SseReader();
    const found: string[] = [];
    for (let at = 0; at < STREAM.length; at += size) found.push(...reader.push(STREAM.slice(at, at + size)));
    expect(found, `in parts of ${size}`).toEqual(DATA);
  }
});

test("an event that is not whole is not told, and a stream without end is refused", () => {
  expect(new SseReader().push("data: half\n")).toEqual([]);
  expect(() => new SseReader().push("data: ".padEnd((1 << 20) + 1, "x"))).toThrow();
});
