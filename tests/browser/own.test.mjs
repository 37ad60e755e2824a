// A person's own things: models, keys, usage, settings, health.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { accessible, go, open } from "./window.mjs";
import { any, word } from "./words.mjs";

/** A real model that is small enough to add. */
const MODEL = fileURLToPath(new URL("../../crates/lull-models/demo/lull-demo.Q8_0.gguf", import.meta.url));

let play;
let opened;
before(async () => {
  play = await open();
  // A person who has agreed; without a screen here nobody is known to be away, so nothing is lent.
  await play.stage.call({ call: "lend", on: true });
  opened = await play.enter("home");
});
after(() => play?.end());

async function add(path, name = "") {
  await opened.getByRole("button", { name: word("models_add"), exact: true }).click();
  const dialog = opened.getByRole("dialog");
  await dialog.getByLabel(word("models_add_path"), { exact: true }).fill(path);
  if (name) await dialog.getByLabel(word("models_add_name"), { exact: true }).fill(name);
  await dialog.getByRole("button", { name: word("models_add_do"), exact: true }).click();
}

test("a file that is no model is refused with a sentence; a real one is added and removed", async () => {
  await go(opened, play.base, "models");
  const wrong = join(play.stage.folder, "holiday.gguf");
  await writeFile(wrong, "this is no model");
  await add(wrong);
  const trouble = opened.locator("[role=alert]", { hasText: word("models_adding_failed", { name: "holiday.gguf" }) });
  await trouble.waitFor();
  await accessible(opened, "a model that could not be added");
  await trouble.getByRole("button", { name: word("models_adding_forget") }).click();
  await trouble.waitFor({ state: "detached" });

  await add(MODEL, "small-talk");
  const row = opened.getByRole("row", { name: /small-talk/ });
  await row.getByText(word("place_here")).waitFor();
  await row.getByRole("button", { name: word("models_remove_named", { name: "small-talk" }) }).click();
  await opened.getByRole("alertdialog").or(opened.getByRole("dialog")).getByRole("button", { name: word("models_remove_do") }).click();
  await row.waitFor({ state: "detached" });
  const { models } = await play.stage.call({ call: "models" });
  assert.ok(!models.some(({ name }) => name === "small-talk"));
});

test("a key is made, works at the local API at once, and works no longer when it is revoked", async () => {
  await go(opened, play.base, "connect");
  await opened.getByText(word("connect_keys_none")).waitFor();
  await opened.getByText(play.stage.api).first().waitFor();
  await opened.getByLabel(word("key_name"), { exact: true }).fill("editor");
  await opened.getByRole("button", { name: word("key_create") }).click();
  const dialog = opened.getByRole("dialog");
  await dialog.getByText(word("key_new_title", { name: "editor" })).waitFor();
  await accessible(opened, "a new key");
  const key = (/lull-[\w-]{20,}|[\w-]{30,}/.exec(await dialog.innerText()) ?? [])[0];
  assert.ok(key, await dialog.innerText());
  await dialog.getByRole("button", { name: word("key_new_done") }).click();
  const asked = () => fetch(`${play.stage.api}/models`, { headers: { authorization: `Bearer ${key}` } });
  assert.equal((await asked()).status, 200);
  assert.ok(!(await opened.content()).includes(key), "it is shown once");
  await opened.getByRole("button", { name: word("key_revoke_named", { name: "editor" }) }).click();
  await opened.getByRole("dialog").or(opened.getByRole("alertdialog")).getByRole("button", { name: word("key_revoke_do") }).click();
  await opened.getByText(word("connect_keys_none")).waitFor();
  assert.equal((await asked()).status, 401);
});

test("usage is empty, counts what was asked, and is erased", async () => {
  await go(opened, play.base, "usage");
  await opened.getByText(word("usage_none_title")).waitFor();
  await accessible(opened, "no usage");
  await go(opened, play.base, "chat");
  await opened.getByRole("textbox", { name: word("chat_message") }).fill("What is Lull?");
  await opened.keyboard.press("Enter");
  await opened.getByText(any("chat_tokens_many")).waitFor();
  await go(opened, play.base, "usage");
  await opened.getByRole("row", { name: /lull-demo/ }).first().waitFor();
  const { days } = await play.stage.call({ call: "usage" });
  assert.deepEqual([days.length, days[0].answered], [1, 1]);
  await accessible(opened, "usage");
  await go(opened, play.base, "privacy");
  await opened.getByRole("button", { name: word("privacy_erase_used") }).click();
  await opened.getByRole("dialog").or(opened.getByRole("alertdialog")).getByRole("button", { name: word("erase_used_do") }).click();
  await opened.getByText(word("erased_used")).waitFor();
  assert.deepEqual((await play.stage.call({ call: "usage" })).days, []);
});

test("a rule that the organisation holds cannot be moved and says why; another one can, and is reset", async () => {
  await go(opened, play.base, "settings");
  const held = opened.getByRole("switch", { name: word("set_battery") });
  await held.waitFor();
  assert.ok(await held.isDisabled());
  assert.match(await held.evaluate((at) => document.getElementById(at.getAttribute("aria-describedby"))?.innerText),
    new RegExp(word("settings_managed_file", { org: "Acme" })));
  const rule = async (key) => (await play.stage.call({ call: "rules" })).rules.find((rule) => rule.key === key);
  assert.deepEqual((({ locked, source }) => [locked, source])(await rule("lend.on_battery")), [true, "organisation"]);

  const idle = opened.getByRole("textbox", { name: new RegExp(word("set_idle")) });
  await idle.fill("0");
  await idle.press("Tab");
  await opened.getByText(any("settings_out_of_range")).waitFor();
  await idle.fill("17");
  await idle.press("Tab");
  const reset = opened.getByRole("button", { name: word("settings_reset", { name: word("set_idle") }) });
  await reset.waitFor();
  assert.deepEqual((({ value, source }) => [value.is, source])(await rule("lend.idle_minutes")), [17, "settings"]);
  await reset.click();
  await reset.waitFor({ state: "detached" });
  assert.equal((await rule("lend.idle_minutes")).source, "default");
});

test("the theme and the language change at once and are kept by the node", async () => {
  await opened.getByRole("radio", { name: word("theme_dark") }).click();
  await opened.locator("html[data-theme=dark]").waitFor();
  await opened.getByRole("radio", { name: "Deutsch" }).click();
  await opened.getByRole("heading", { level: 1, name: word("nav_settings", {}, "de") }).waitFor();
  await opened.reload();
  await opened.getByRole("heading", { level: 1, name: word("nav_settings", {}, "de") }).waitFor();
  const { prefs } = await play.stage.call({ call: "prefs" });
  assert.deepEqual([prefs.theme, prefs.lang], ["dark", "de"]);
  await opened.getByRole("radio", { name: "English" }).click();
  await opened.getByRole("radio", { name: word("theme_system") }).click();
  await opened.getByRole("heading", { level: 1, name: word("nav_settings") }).waitFor();
});

test("health looks at the machine, and its diagnostics hold no content", async () => {
  await go(opened, play.base, "doctor");
  await opened.getByText(word("check_relay"), { exact: false }).first().waitFor();
  await opened.getByText(any("doctor_looked")).waitFor();
  const [file] = await Promise.all([
    opened.waitForEvent("download"),
    opened.getByRole("button", { name: word("doctor_save") }).click(),
  ]);
  const stream = await file.createReadStream();
  let text = "";
  for await (const part of stream) text += part;
  JSON.parse(text);
  assert.doesNotMatch(text, /What is Lull|idle computers/);
  assert.deepEqual(opened.wrong, []);
});
