import { beforeEach, expect, test } from "vitest";

import { SAMPLE, longAnswer, tokensOf } from "../../../dev/answers.mjs";
import { blocksOf, render } from "./markdown";
import { MarkdownView } from "./view";

const WORDS = { code: "Code", copy: "Copy" };
let root: HTMLElement;
beforeEach(() => void (root = document.createElement("div")));

const html = (text: string) => {
  const box = document.createElement("div");
  for (const block of blocksOf(text)) box.append(render(block));
  return box.innerHTML;
};

test.each([
  ["<script>alert(1)</script>", "script"],
  ["<img src=x onerror=alert(1)>", "img"],
  ["![x](https://spy.example/pixel.png)", "img"],
  ["<iframe src=https://a></iframe>", "iframe"],
  ["<style>*{display:none}</style>", "style"],
  ["<form action=https://a><input></form>", "form"],
  ["- [x] done", "input"],
])("%s makes no element of its own", (text, tag) => {
  const box = document.createElement("div");
  box.innerHTML = html(text);
  expect(box.querySelector(tag)).toBeNull();
});

test.each(["javascript:alert(1)", "data:text/html,x", "#/settings", "/ui/call", "vbscript:x", "  javascript:alert(1)"])(
  "a link to %s leads nowhere",
  (href) => {
    expect(html(`[x](<${href}>)`)).not.toContain("href");
  },
);

test("markup in an answer is shown as what it is", () => {
  const box = document.createElement("div");
  box.innerHTML = html("a <b>bold</b> <script>x</script>");
  expect(box.textContent?.trim()).toBe("a <b>bold</b> <script>x</script>");
});

test("a link to the web opens elsewhere and tells nothing", () => {
  expect(html("[x](https://example.org/a?b=c&d)")).toContain(
    'href="https://example.org/a?b=c&amp;d" target="_blank" rel="noopener noreferrer"',
  );
});

test.each([
  ["the sample", SAMPLE],
  ["a long answer", longAnswer(60)],
  ["code that is not closed", "text\n\n```js\nlet a = 1;\n"],
  ["nested fences and lists", "1. a\n\n   ```sh\n   ls\n   ```\n2. b\n   - c\n\n> q\n> r\n\nend"],
  ["a setext heading and a rule", "Title\n=====\n\n---\n\nlast *open"],
])("%s looks alike whether it grew or was there at once", (_, text) => {
  const grown = new MarkdownView(root, WORDS);
  let sofar = "";
  let clock = 0;
  for (const token of tokensOf(text)) grown.grow((sofar += token), (clock += 1e6));
  grown.finish(text);
  const other = document.createElement("div");
  new MarkdownView(other, WORDS).finish(text);
  expect(root.innerHTML).toBe(other.innerHTML);
});

test("what is closed is not drawn again", () => {
  const view = new MarkdownView(root, WORDS);
  view.grow("first\n\nsecond", 0);
  const first = root.firstElementChild;
  view.grow("first\n\nsecond grows", 1e6);
  view.grow("first\n\nsecond grows\n\n```\ncode", 2e6);
  expect(root.firstElementChild).toBe(first);
  expect([...root.children].map((child) => child.className)).toEqual(["md-block", "md-block", "md-code"]);
});

test("a long list is continued, numbered on, and loses nothing", () => {
  const view = new MarkdownView(root, WORDS);
  const items = Array.from({ length: 40 }, (_, index) => `${index + 1}. item ${index + 1}\n`);
  let text = "";
  items.forEach((item, index) => view.grow((text += item), index * 1e6));
  view.finish(text);
  expect([...root.querySelectorAll("li")].map((li) => li.textContent?.trim())).toEqual(items.map((_, i) => `item ${i + 1}`));
  const lists = [...root.querySelectorAll("ol")];
  expect(lists.length).toBeGreaterThan(1);
  let next = 1;
  for (const list of lists) {
    expect(list.start).toBe(next);
    next += list.children.length;
  }
});

test("after a picture that took long, the next one waits", () => {
  const view = new MarkdownView(root, WORDS);
  expect(view.grow("a", 1_000)).toBe(true);
  expect(view.grow("a b", 1_000)).toBe(false);
  expect(view.grow("a b c", 1e6)).toBe(true);
});
