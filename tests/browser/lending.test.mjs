// Lending and pausing, what ran here, and what is said when the rules or the relay are gone.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { accessible, enterAgain, go, open } from "./window.mjs";
import { any, word } from "./words.mjs";

let play;
let opened;
before(async () => {
  play = await open({ args: ["--joined", "--dedicated"] });
  opened = await play.enter("home");
});
after(() => play?.end());

const title = (key) => opened.getByRole("heading", { level: 1, name: word(key), exact: true });
const lending = async () => (await play.stage.call({ call: "status" })).lending;

test("a dedicated machine lends; a click gives it back, another lends again", async () => {
  await title("title_lending").waitFor();
  await opened.getByRole("button", { name: word("give_back") }).click();
  await title("title_paused").waitFor();
  assert.equal((await lending()).lending, "paused");
  await opened.getByRole("button", { name: word("resume") }).click();
  await title("title_lending").waitFor();
  assert.equal((await lending()).lending, "lending");
});

test("a pause of an hour shows its end, and outlives the node", async () => {
  await opened.getByRole("button", { name: word("pause_menu"), exact: true }).click();
  await opened.getByRole("menuitem", { name: word("pause_hour") }).click();
  await title("title_paused").waitFor();
  await opened.getByText(any("until_paused")).first().waitFor();
  const { until } = await lending();
  assert.ok(Math.abs(until - Date.now() - 3_600_000) < 60_000, `${until}`);
  await play.stage.say("node stop");
  await play.stage.say("node start");
  await enterAgain(opened, play.stage);
  await title("title_paused").waitFor();
  assert.equal((await lending()).until, until);
  await opened.getByRole("button", { name: word("resume") }).click();
  await title("title_lending").waitFor();
});

test("what ran here is shown without words and names, exported, and erased", async () => {
  await play.stage.say("lender stop");
  await play.stage.say("ask 3");
  await go(opened, play.base, "privacy/ran");
  const rows = opened.locator("#ran, main").locator("tbody tr", { hasText: "lull-demo" });
  await rows.nth(2).waitFor();
  assert.equal((await play.stage.call({ call: "log", limit: 10 })).jobs.length, 3);
  const [file] = await Promise.all([
    opened.waitForEvent("download"),
    opened.getByRole("button", { name: word("privacy_export_all") }).click(),
  ]);
  const exported = await readFile(await file.path(), "utf8");
  assert.match(exported, /lull-demo/);
  assert.doesNotMatch(exported, /What is Lull\?|guest-/);
  JSON.parse(exported);
  await opened.getByRole("button", { name: word("privacy_erase_ran") }).click();
  await opened.getByRole("dialog").getByRole("button", { name: word("cancel") }).click();
  assert.equal((await play.stage.call({ call: "log", limit: 10 })).jobs.length, 3);
  await opened.getByRole("button", { name: word("privacy_erase_ran") }).click();
  await accessible(opened, "asked before erasing");
  await opened.getByRole("dialog").getByRole("button", { name: word("privacy_erase_do") }).click();
  await opened.getByText(word("privacy_ran_none")).waitFor();
  assert.equal((await play.stage.call({ call: "log", limit: 10 })).jobs.length, 0);
  await play.stage.say("lender start");
});

test("a settings file that cannot be read stops lending and says so, until it is mended", async () => {
  const settings = join(play.stage.home, "settings.toml");
  const before = await readFile(settings, "utf8").catch(() => "");
  await go(opened, play.base, "home");
  await writeFile(settings, "[lend]\nenabled = perhaps\n");
  await title("title_off").waitFor();
  const { lending: state, reason } = await lending();
  assert.deepEqual([state, reason.because], ["off", "rules_broken"]);
  await accessible(opened, "broken settings on Home");
  await go(opened, play.base, "settings");
  await opened.getByText(word("settings_broken")).waitFor();
  await accessible(opened, "broken settings");
  await writeFile(settings, before);
  await opened.getByText(word("settings_broken")).waitFor({ state: "detached" });
  await go(opened, play.base, "home");
  await title("title_lending").waitFor();
});

test("the relay gone is said, and its return needs no hand", async () => {
  await go(opened, play.base, "home");
  await play.stage.say("relay stop");
  await opened.getByText(word("relay_down_title")).waitFor();
  await accessible(opened, "no relay");
  await play.stage.say("relay start");
  await opened.getByText(word("relay_down_title")).waitFor({ state: "detached" });
  assert.deepEqual(opened.wrong, []);
});
