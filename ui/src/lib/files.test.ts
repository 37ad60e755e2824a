import { expect, test } from "vitest";

import { readText, toCsv } from "./files";

test("no cell is a formula, and quotes and commas survive", () => {
  const job = { id: 1, ended_unix_ms: 0, prompt_tokens: 1, completion_tokens: 2, ran_ms: 3, energy_wh: 0.5, outcome: "completed" };
  const lines = toCsv([{ ...job, model: '=HYPERLINK("x"),1' }, { ...job, model: "plain" }]).split("\r\n");
  expect(lines[0]).toBe("ended,id,ended_unix_ms,model,prompt_tokens,completion_tokens,ran_ms,energy_wh,outcome");
  expect(lines[1]).toBe(`1970-01-01T00:00:00.000Z,1,0,"'=HYPERLINK(""x""),1",1,2,3,0.5,completed`);
  expect(lines[2]).toContain(",plain,");
  expect(lines[3]).toBe("");
});

test("only text files within the bound are attached", async () => {
  const file = (part: BlobPart) => {
    const blob = new Blob([part]);
    // jsdom's blobs cannot be read as bytes.
    return Object.assign(blob, { name: "f", arrayBuffer: async () => new TextEncoder().encode(String(part)).buffer }) as unknown as File;
  };
  expect(await readText(file("grün\n"))).toEqual({ text: "grün\n" });
  expect(await readText(file("a\0b"))).toEqual({ wrong: "binary" });
  expect(await readText(file("x".repeat(256_001)))).toEqual({ wrong: "big" });
});
