// The organisation's rules: pushed by IT, seen at once in every open page, and what they let a person do.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { POLICY, WELCOMED, accessible, fits, focused, go, open, tabTo, theme } from "./window.mjs";
import { any, word } from "./words.mjs";

let play;
/** Two pages that stay open: nothing here reloads them. */
let privacy;
let settings;
before(async () => {
  play = await open();
  await play.stage.call({ call: "lend", on: true });
  privacy = await play.enter("privacy");
  settings = await privacy.context().newPage();
  settings.wrong = privacy.wrong;
  await go(settings, play.base, "settings/organisation");
});
after(() => play?.end());

const labels = (opened, lang) => opened.getByRole("region", { name: word("labels_title", {}, lang) });
const decided = (opened, lang) => opened.getByRole("region", { name: word("settings_jump", {}, lang), exact: true });
const labelled = (name) => labels(privacy).getByRole("listitem").filter({ has: privacy.getByRole("heading", { name, exact: true }) });
const picker = (opened) => opened.getByRole("combobox", { name: new RegExp(`^${word("chat_label")}: `) });
const chosen = (opened, name) => opened.getByRole("combobox", { name: `${word("chat_label")}: ${name}`, exact: true });
const option = (opened, name) => opened.getByRole("option", { name: new RegExp(`^${name}`) });
const broken = (opened, lang) => opened.getByRole("alert").filter({ hasText: word("policy_broken", {}, lang) });

/** In both themes and languages; afterwards as before. */
async function accessibleAnyhow(opened, what, shown) {
  for (const lang of ["de", "en"]) {
    await play.stage.call({ call: "set_prefs", prefs: { ...WELCOMED, lang } });
    await opened.locator(`html[lang=${lang}]`).waitFor({ state: "attached" });
    await shown(lang).waitFor();
    for (const colorScheme of ["dark", "light"]) {
      await theme(opened, colorScheme);
      await accessible(opened, `${what}, ${lang}, ${colorScheme}`);
    }
    await fits(opened, `${what}, ${lang}`);
  }
}

test("without a policy only this machine's file decides, and every label may go anywhere", async () => {
  await decided(settings).getByText(word("policy_none")).waitFor();
  await decided(settings).getByText(word("whose_file")).waitFor();
  assert.equal(await labels(privacy).getByText(word("labels_run"), { exact: true }).count(), 3);
  assert.equal(await labels(privacy).getByText(word("labels_send"), { exact: true }).count(), 3);
});

test("a policy that is pushed is in every open page at once, with whose word each rule is", async () => {
  const { version, reach } = await play.stage.push(POLICY);
  assert.deepEqual([version, reach.faults], [1, []]);
  const rules = decided(settings);
  await rules.getByText(word("policy_version", { version: 1 })).waitFor();
  for (const text of [
    word("rule_named", { title: word("chat_label"), name: word("label_confidential") }),
    word("org_label_lenders"),
    "finance, servers",
    word("rule_named", { title: word("org_site"), name: "berlin" }),
    word("quota_tokens", { n: "100,000", who: word("quota_each_group", { group: "interns" }) }),
    word("quota_tokens", { n: "50,000,000", who: word("quota_all") }),
  ]) {
    await rules.getByText(text, { exact: true }).first().waitFor();
  }
  assert.equal(await rules.getByText(word("whose_file"), { exact: true }).count(), 1, "on_battery is the file's");
  assert.equal(await rules.getByText(any("policy_ends_many")).count(), 0, "90 days are no reason to warn");

  const says = async (control) =>
    control.evaluate((at) => at.getAttribute("aria-describedby").split(" ").map((id) => document.getElementById(id)?.innerText).join(" "));
  const idle = settings.getByRole("textbox", { name: new RegExp(word("set_idle")) });
  assert.ok((await says(idle)).includes(word("settings_managed_policy", { org: "Acme" })));
  const battery = settings.getByRole("switch", { name: word("set_battery") });
  assert.ok((await says(battery)).includes(word("settings_managed_file", { org: "Acme" })));
  await accessibleAnyhow(settings, "what the organisation decided", (lang) => decided(settings, lang));
});

test("a label that does not run here, or may not be sent, says why", async () => {
  const confidential = labelled(word("label_confidential"));
  await confidential.getByText(word("labels_not"), { exact: true }).waitFor();
  await confidential.getByText(word("labels_not_lenders", { groups: "finance, servers" })).waitFor();
  await confidential.getByText(word("labels_not_askers", { groups: "finance" })).waitFor();
  await confidential.getByText(word("labels_at", { sites: "berlin" })).waitFor();
  const own = labelled("patient-data");
  await own.getByText(word("labels_not_dedicated")).waitFor();
  await own.getByText(word("labels_send"), { exact: true }).waitFor();
  await labelled(word("label_internal")).getByText(word("labels_run"), { exact: true }).waitFor();
  await accessibleAnyhow(privacy, "labels", (lang) => labels(privacy, lang));
});

test("the picker has the organisation's labels, and one that may not be sent is read with its reason and not taken", async () => {
  await go(settings, play.base, "chat");
  await tabTo(settings, `${word("chat_label")}: ${word("label_internal")}`);
  await settings.keyboard.press("Enter");
  const off = option(settings, word("label_confidential"));
  await off.getByText(word("labels_not_askers", { groups: "finance" })).waitFor();
  assert.equal(await off.getAttribute("aria-disabled"), "true");
  assert.equal(await option(settings, "patient-data").getAttribute("aria-disabled"), null);
  await accessibleAnyhow(settings, "the label picker", (lang) => option(settings, word("label_confidential", {}, lang)));
  // The keyboard reaches it, so that its reason is read, and Enter does not take it.
  while ((await off.getAttribute("data-highlighted")) === null) await settings.keyboard.press("ArrowDown");
  await settings.keyboard.press("Enter");
  await chosen(settings, word("label_internal")).waitFor();
  await picker(settings).click();
  await off.click({ force: true });
  await option(settings, "patient-data").click();
  await chosen(settings, "patient-data").waitFor();
});

test("a label that is taken away while a person writes stops the message, not what they wrote", async () => {
  const box = settings.getByRole("textbox", { name: word("chat_message") });
  await box.fill("What is Lull?");
  const send = settings.getByRole("button", { name: word("chat_send") });
  assert.ok(await send.isEnabled());
  await play.stage.push(POLICY.replace("dedicated = true", 'askers = ["clinic"]'), 10);
  await settings.getByRole("alert").filter({ hasText: word("labels_not_askers", { groups: "clinic" }) }).waitFor();
  assert.ok(await send.isDisabled());
  assert.equal(await box.inputValue(), "What is Lull?");
  await accessibleAnyhow(settings, "a label that was taken away", (lang) =>
    settings.getByRole("alert").filter({ hasText: word("labels_not_askers", { groups: "clinic" }, lang) }));
  await picker(settings).click();
  await option(settings, word("label_public")).click();
  await settings.getByRole("alert").waitFor({ state: "detached" });
  assert.ok(await send.isEnabled());
  assert.match(await focused(settings), new RegExp(word("label_public")), "the focus is where it was");
});

test("ten days before its end a policy says so", async () => {
  await go(settings, play.base, "settings/organisation");
  await decided(settings).getByText(word("policy_ends_many", { n: 10 })).waitFor();
  await accessibleAnyhow(settings, "a policy that ends soon", (lang) => decided(settings, lang));
  await go(settings, play.base, "doctor");
  const finding = settings.getByRole("listitem").filter({ has: settings.getByRole("heading", { name: word("check_policy") }) });
  await finding.getByText("signed policy version 2", { exact: false }).waitFor();
  await finding.getByText(word("health_attention")).waitFor({ state: "attached" });
});

test("a policy that cannot be verified stops lending with a banner, sends only what is public, and is mended by a push", async () => {
  await go(settings, play.base, "settings/organisation");
  await decided(settings).waitFor();
  await writeFile(join(play.stage.home, "policy.signed"), "this is not root's");
  await broken(settings).waitFor();
  assert.match(await broken(settings).innerText(), /policy\.signed/);
  await decided(settings).getByText(word("policy_last")).waitFor();
  await labelled(word("label_internal")).getByText(word("labels_not_broken")).waitFor();
  await labelled(word("label_internal")).getByText(word("labels_not_public")).waitFor();
  await labelled(word("label_public")).getByText(word("labels_send"), { exact: true }).waitFor();
  await accessibleAnyhow(settings, "a policy that cannot be followed", (lang) => broken(settings, lang));
  await accessibleAnyhow(privacy, "labels without rules", (lang) => labels(privacy, lang));
  await go(settings, play.base, "chat");
  await picker(settings).click();
  await option(settings, word("label_internal")).getByText(word("labels_not_public")).waitFor();
  assert.equal(await option(settings, word("label_public")).getAttribute("aria-disabled"), null);
  await settings.keyboard.press("Escape");
  await go(settings, play.base, "doctor");
  const finding = settings.getByRole("listitem").filter({ has: settings.getByRole("heading", { name: word("check_policy") }) });
  await finding.getByText(word("health_broken")).waitFor({ state: "attached" });
  await finding.getByText("lull admin policy push", { exact: false }).waitFor();
  await accessible(settings, "health with a broken policy");

  await go(settings, play.base, "settings/organisation");
  await broken(settings).waitFor();
  await play.stage.push(POLICY);
  await broken(settings).waitFor({ state: "detached" });
  await decided(settings).getByText(word("policy_version", { version: 3 })).waitFor();
  await labelled(word("label_internal")).getByText(word("labels_run"), { exact: true }).waitFor();
  assert.deepEqual(privacy.wrong, []);
});
