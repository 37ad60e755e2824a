// The window with the keyboard alone, and what must survive when the node goes. node dev/walk.mjs
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

import { open } from "./browser.mjs";

const { base, browser, scene, say, close } = await open(5872);
const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
const page = await context.newPage();
const press = async (...keys) => {
  for (const key of keys) await page.keyboard.press(key);
};
const focused = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label") || document.activeElement?.textContent?.trim() || "");
const tabTo = async (name) => {
  for (let tries = 0; tries < 60; tries++) {
    await press("Tab");
    if ((await focused()).includes(name)) return;
  }
  assert.fail(`Tab never reaches ${name}`);
};
const step = async (name, work) => {
  await work();
  console.log(`ok  ${name}`);
};

const EN = { lang: "en", theme: "light" };

await step("a token in the address signs in and is gone from it", async () => {
  await scene("signed_out", EN);
  await page.goto(`${base}/#token=dev`);
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.getByText("Lending").first().waitFor();
  assert.equal(new URL(page.url()).hash, "#/home");
});
await step("declining the first run by keyboard leads to Home, not lending", async () => {
  await scene("first_run", { ...EN, welcomed: false });
  await page.getByText("Would you lend").waitFor();
  await tabTo("Not now");
  await press("Enter");
  await page.getByRole("heading", { name: "Not lending" }).waitFor();
});
await step("agreeing later, then pausing for an hour by the menu, then resuming", async () => {
  await tabTo("Start lending");
  await press("Enter");
  await page.getByRole("heading", { name: "Waiting to lend" }).waitFor();
  await tabTo("Pause");
  await press("Enter", "Enter");
  await page.getByRole("heading", { name: "Paused" }).waitFor();
  await page.getByText(/Until \d\d:\d\d \(1 h left\)|Until tomorrow, 00:\d\d/).waitFor();
  await tabTo("Lend again");
  await press("Enter");
  await page.getByRole("heading", { name: "Lending", exact: true }).waitFor();
});
await step("the skip link comes first and leads to the page", async () => {
  await page.reload();
  await page.getByRole("heading", { name: "Lending", exact: true }).waitFor();
  await press("Tab");
  assert.equal(await focused(), "Skip to content");
  await press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "main");
});
await step("asking, stopping, asking again, editing", async () => {
  await page.goto(`${base}/#/chat`);
  await page.getByRole("textbox").waitFor();
  await page.keyboard.type("tell me at length: long 300");
  await press("Enter");
  await page.locator(".md h4, .md h3, .md p").first().waitFor();
  await tabTo("Stop");
  await press("Enter");
  await page.getByText("Stopped by you").first().waitFor();
  await page.locator("article").last().getByRole("button", { name: "Another answer" }).focus();
  await press("Enter");
  await page.getByRole("button", { name: "Stop" }).click();
  await page.locator("article").first().getByRole("button", { name: "Edit" }).focus();
  await press("Enter");
  await press("ControlOrMeta+a");
  await page.keyboard.type("fast please");
  await press("Enter");
  await page.getByText(/tokens\/s/).waitFor();
  assert.equal(await page.locator("article").count(), 2);
});
await step("nothing that grows is a live region, and its end is said once", async () => {
  const live = await page.evaluate(() => document.querySelector(".md")?.closest("[aria-live],[role=log],[role=status]"));
  assert.equal(live, null);
  assert.equal(await page.locator("p.sr-only[role=status]").textContent(), "The answer is complete.");
});
await step("what is typed survives the node's end and a reload, and the window comes back by itself", async () => {
  await page.getByRole("textbox").fill("half a thought");
  await scene("gone", EN);
  await page.getByText("Lull does not answer at the moment").waitFor();
  assert.equal(await page.getByRole("textbox").inputValue(), "half a thought");
  await page.reload();
  await page.getByRole("heading", { name: "Lull does not answer" }).waitFor();
  await scene("lending", EN);
  await page.getByRole("textbox").waitFor();
  await page.waitForFunction(() => document.querySelector("form textarea")?.value === "half a thought");
  assert.equal(await page.locator("article").count(), 2);
});
await step("asking while the node is gone keeps the question and offers the way out", async () => {
  await scene("gone", EN);
  await page.getByText("Lull does not answer at the moment").waitFor();
  await page.getByRole("textbox").focus();
  await press("Enter");
  await page.locator(".trouble").getByText("Lull does not answer").first().waitFor();
  await page.getByText("half a thought").last().waitFor();
  await scene("lending", EN);
  await page.getByText("Lull does not answer at the moment").waitFor({ state: "detached" });
  await page.locator(".trouble").getByRole("button", { name: "Ask again" }).click();
  await page.locator(".trouble").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Stop" }).click();
});
await step("a conversation deleted by mistake comes back", async () => {
  await page.getByRole("button", { name: "Delete conversation" }).click();
  await page.getByText("No conversations yet").waitFor();
  await page.getByRole("button", { name: "Undo" }).click();
  await page.locator("aside a").first().waitFor();
});
await step("export and erase", async () => {
  await page.goto(`${base}/#/privacy`);
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Export everything" }).click()]);
  assert.match(file.suggestedFilename(), /^lull-my-data-\d{4}-\d\d-\d\d\.json$/);
  const whole = JSON.parse(await readFile(await file.path(), "utf8"));
  assert.deepEqual(Object.keys(whole), ["exported", "ran_here", "usage", "rules", "preferences", "keys", "stored", "conversations"]);
  assert.ok(whole.ran_here.length > 300 && whole.conversations[0].turns.length > 1);
  assert.ok(!JSON.stringify(whole).includes("lull_sk_"));
  await page.getByRole("button", { name: "Erase what ran here" }).click();
  await press("Escape");
  assert.ok((await page.getByRole("group", { name: "What ran here" }).locator("tbody tr").count()) > 0);
  await page.getByRole("button", { name: "Erase what ran here" }).click();
  await page.getByRole("button", { name: "Erase the record" }).click();
  await page.getByText("Nothing has run here").waitFor();
  await page.getByRole("button", { name: "Erase my conversations" }).click();
  await page.getByRole("button", { name: "Erase conversations" }).click();
  await page.getByText("Your conversations are erased").waitFor();
  await page.goto(`${base}/#/chat`);
  await page.getByText("No conversations yet").waitFor();
});
await step("a key is shown once, and revoked", async () => {
  await page.goto(`${base}/#/connect`);
  await page.getByRole("textbox", { name: "Name of the new key" }).fill("my-editor");
  await press("Enter");
  await page.getByRole("dialog").getByText(/^lull_sk_/).waitFor();
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("button", { name: "Revoke my-editor" }).click();
  assert.equal(await page.getByText(/^lull_sk_/).count(), 0);
  await page.getByRole("button", { name: "Revoke key" }).click();
  await page.getByRole("button", { name: "Revoke my-editor" }).waitFor({ state: "detached" });
});
await step("a rule is changed, refused with its sentence, and set back", async () => {
  await page.goto(`${base}/#/settings`);
  const idle = page.getByRole("textbox", { name: "Wait after you leave" });
  await idle.fill("900");
  await press("Tab");
  await page.getByText("Enter a number from 1 to 240.").waitFor();
  await idle.fill("12");
  await press("Tab");
  await page.getByRole("button", { name: "Reset Wait after you leave to the default" }).click();
  await page.waitForFunction(() => document.querySelector("input[inputmode=decimal]")?.value === "5");
  await page.getByRole("button", { name: "Add hours" }).click();
  await page.keyboard.type("nights");
  await press("Enter");
  await page.getByText(/is not a window/).waitFor();
  assert.equal(await page.getByRole("textbox", { name: "Hours 1" }).inputValue(), "nights");
});
await step("the node can name the page, and what is deep within one is scrolled to", async () => {
  await say({ event: "show", page: "doctor" });
  await page.getByRole("heading", { name: "Health", level: 1 }).waitFor();
  await scene("organisation", EN);
  await say({ event: "show", page: "rules" });
  await page.getByRole("heading", { name: "What your organisation decided" }).waitFor();
  await page.waitForFunction(() => document.activeElement?.textContent === "What your organisation decided");
  await say({ event: "show", page: "ran" });
  await page.waitForFunction(() => document.activeElement?.textContent === "What ran here");
});
await step("joining: a wrong invitation says what to do and stays, a right one leads to the question", async () => {
  await scene("not_joined", { ...EN, welcomed: false });
  const token = page.getByRole("textbox", { name: "Invitation" });
  await token.waitFor();
  await page.getByRole("button", { name: "Join" }).click();
  await page.getByText("Paste the invitation first.").waitFor();
  await token.fill("nonsense");
  await page.getByRole("button", { name: "Join" }).click();
  await page.getByText("This is not a valid invitation").waitFor();
  assert.equal(await token.inputValue(), "nonsense");
  await token.fill("lull-abc");
  await page.getByRole("button", { name: "Join" }).click();
  await page.getByRole("button", { name: "Agree and lend" }).click();
  await page.getByRole("heading", { name: "Waiting to lend" }).waitFor();
});
await step("theme and language change at once and are kept", async () => {
  await page.goto(`${base}/#/settings`);
  await page.getByRole("radio", { name: "Dark" }).click();
  await page.getByRole("radio", { name: "Deutsch" }).click();
  await page.getByRole("heading", { name: "Einstellungen" }).waitFor();
  assert.deepEqual(await page.evaluate(() => [document.documentElement.dataset.theme, document.documentElement.lang]), ["dark", "de"]);
});
await close();
