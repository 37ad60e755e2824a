// What every page keeps: no violation that axe knows, in both themes and languages; room at 200 %; the keyboard alone.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { PAGES, POLICY, WELCOMED, accessible, fits, focused, go, moving, open, tabTo } from "./window.mjs";
import { word } from "./words.mjs";

let play;
before(async () => {
  play = await open({ args: ["--joined", "--dedicated"] });
  // So that the pages have rules and labels of every kind to show.
  await play.stage.push(POLICY, 10);
});
after(() => play?.end());

for (const [lang, colorScheme] of [["en", "light"], ["en", "dark"], ["de", "light"], ["de", "dark"]]) {
  test(`every page is accessible: ${lang}, ${colorScheme}`, async () => {
    await play.stage.call({ call: "set_prefs", prefs: { ...WELCOMED, lang } });
    const opened = await play.enter("home", { colorScheme });
    await opened.locator(`html[lang=${lang}][data-theme=${colorScheme}]`).waitFor({ state: "attached" });
    for (const place of [...PAGES, "privacy/ran", "privacy/labels", "settings/organisation"]) {
      await go(opened, play.base, place);
      const [name] = place.split("/");
      await opened.getByRole("main", { name: word(`nav_${name}`, {}, lang) }).waitFor();
      await opened.getByRole("heading", { level: 1 }).first().waitFor();
      await accessible(opened, `${place}, ${lang}, ${colorScheme}`);
    }
    assert.deepEqual(opened.wrong, []);
    await opened.context().close();
  });
}

test("at 200 % nothing is wider than the window, in the longer language", async () => {
  await play.stage.call({ call: "set_prefs", prefs: { ...WELCOMED, lang: "de" } });
  const opened = await play.enter("home", { viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 });
  for (const place of PAGES) {
    await go(opened, play.base, place);
    await opened.getByRole("main", { name: word(`nav_${place}`, {}, "de") }).waitFor();
    await fits(opened, place);
  }
  await opened.context().close();
});

test("who wants little motion sees none that goes on", async () => {
  await play.stage.call({ call: "set_prefs", prefs: WELCOMED });
  const lively = await play.enter("home");
  // Only lending moves, and a page may be there before the node's first word.
  await lively.getByRole("heading", { level: 1, name: word("title_lending"), exact: true }).waitFor();
  assert.notDeepEqual(await moving(lively), [], "who does not say so sees some");
  await lively.context().close();
  const opened = await play.enter("home", { reducedMotion: "reduce" });
  for (const place of PAGES) {
    await go(opened, play.base, place);
    await opened.getByRole("heading", { level: 1 }).first().waitFor();
    assert.deepEqual(await moving(opened), [], place);
  }
  await opened.context().close();
});

test("the keyboard alone reaches every page, pauses and goes on", async () => {
  await play.stage.call({ call: "set_prefs", prefs: WELCOMED });
  const opened = await play.enter("home");
  await opened.getByRole("heading", { level: 1, name: word("title_lending"), exact: true }).waitFor();
  await opened.reload();
  await opened.getByRole("heading", { level: 1, name: word("title_lending"), exact: true }).waitFor();
  await opened.keyboard.press("Tab");
  assert.equal(await focused(opened), word("skip_to_content"));
  await opened.keyboard.press("Enter");
  assert.equal(await opened.evaluate(() => document.activeElement?.id), "main");
  await tabTo(opened, word("pause_menu"));
  await opened.keyboard.press("Enter");
  await opened.getByRole("menuitem", { name: word("pause_hour") }).waitFor();
  await opened.keyboard.press("Enter");
  await opened.getByRole("heading", { level: 1, name: word("title_paused") }).waitFor();
  await tabTo(opened, word("resume"));
  await opened.keyboard.press("Enter");
  await opened.getByRole("heading", { level: 1, name: word("title_lending"), exact: true }).waitFor();
  for (const place of PAGES) {
    await opened.reload();
    await opened.getByRole("main").waitFor();
    await tabTo(opened, word(`nav_${place}`));
    await opened.keyboard.press("Enter");
    await opened.getByRole("main", { name: word(`nav_${place}`), exact: true }).waitFor();
  }
  assert.deepEqual(opened.wrong, []);
  await opened.context().close();
});
