import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

import { MADE_WITH } from "./made_with";

test("the page names every dependency with its version and licence", () => {
  const { dependencies } = JSON.parse(readFileSync("package.json", "utf8")) as { dependencies: Record<string, string> };
  expect(Object.fromEntries(MADE_WITH.map(({ name, version }) => [name, version]))).toEqual(dependencies);
  for (const { name, licence } of MADE_WITH) {
    const own = JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8")) as { license: string };
    expect(own.license.replace(/[()]/g, ""), name).toBe(licence);
  }
});
