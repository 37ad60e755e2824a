import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const css = readFileSync("src/tokens.css", "utf8");

function tokens(theme: "light" | "dark"): Record<string, string> {
  const block = css.slice(css.indexOf(`[data-theme="${theme}"] {`));
  const pairs = block.slice(0, block.indexOf("}")).matchAll(/--([\w-]+): (#[0-9a-f]{6});/g);
  return Object.fromEntries([...pairs].map(([, name, value]) => [name, value]));
}

function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5]
    .map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one: string, other: string): number {
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

const grounds = ["ground", "rail", "panel", "sunk"];
const text = [
  ...grounds.flatMap((ground) => ["ink", "ink-2", "ink-3", "tide", "lamp", "brick"].map((ink) => [ink, ground])),
  ...["ink", "ink-2", "tide"].map((ink) => [ink, "tide-soft"]),
  ...["ink", "lamp"].map((ink) => [ink, "lamp-soft"]),
  ...["ink", "brick"].map((ink) => [ink, "brick-soft"]),
  ["on-tide", "tide"],
  ["on-tide", "tide-deep"],
  ["on-brick", "brick"],
] as [string, string][];
const controls = grounds.flatMap((ground) => [["edge", ground], ["focus", ground]]) as [string, string][];

for (const theme of ["light", "dark"] as const) {
  const colours = tokens(theme);
  const of = (name: string) => colours[name] ?? expect.fail(`${theme} has no --${name}`);

  test.each(text)(`${theme}: %s is read on %s (AA: 4.5)`, (ink, ground) => {
    expect(contrast(of(ink), of(ground))).toBeGreaterThanOrEqual(4.5);
  });

  test.each(controls)(`${theme}: %s is seen on %s (AA: 3)`, (edge, ground) => {
    expect(contrast(of(edge), of(ground))).toBeGreaterThanOrEqual(3);
  });
}
