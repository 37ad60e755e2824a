import { expect, test } from "vitest";

import { readText, toCsv } from "./files";

test("no cell is a formula, and quotes and commas survive", () => {
  const day = { day: "2026-11-23", answered: 3, unanswered: 1, prompt_tokens: 40, completion_tokens: 50 };
  const lines = toCsv([{ ...day, model: '=HYPERLINK("x"),1' }, { ...day, model: "plain" }]).split("\r\n");
  expect(lines[0]).toBe("day,model,answered,unanswered,prompt_tokens,completion_tokens");
  expect(lines[1]).toBe(`2026-11-23,"'=HYPERLINK(""x""),1",3,1,40,50`);
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
