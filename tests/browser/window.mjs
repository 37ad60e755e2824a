// One real window in Debian's Chromium, and what every page of it must keep.
import assert from "node:assert/strict";
import { AxeBuilder } from "@axe-core/playwright";
import { chromium } from "playwright-core";

import { setStage } from "./stage.mjs";
import { word } from "./words.mjs";

/** Nothing here takes this long; it only keeps a broken run from hanging. */
const HANG_MS = Number(process.env.LULL_BROWSER_HANG_MS ?? 30_000);

/** What moves for longer is decoration, and goes on while a person reads. */
const MOMENT_MS = 1_000;

/** Pages of the navigation, by the end of their address. */
export const PAGES = ["home", "chat", "models", "privacy", "usage", "connect", "settings", "doctor", "about"];

/** Preferences of somebody who has answered the first questions. */
export const WELCOMED = { lang: "en", theme: null, autostart: false, welcomed: true, price_milli_per_kwh: null };

/** What an organisation may decide: of each kind of rule one, and nothing that keeps a dedicated machine from lending. */
export const POLICY = `
[lend]
idle_minutes = 15
hours = []

[labels.confidential]
lenders = ["finance", "servers"]
askers = ["finance"]
sites = ["berlin"]
tier = "full"

[labels.patient-data]
dedicated = true

[sites]
berlin = ["berlin-office"]

[models]
allow = ["lull-demo", "small-talk"]

[[quotas]]
tokens_per_day = 50000000

[[quotas]]
group = "interns"
each = true
tokens_per_day = 100000
`;

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu"],
  });
}

/** A stage, a browser, and the address of its window: set before the tests of a file, ended after them. */
export async function open({ args = ["--joined"], prefs = WELCOMED } = {}) {
  const stage = await setStage(...args);
  const browser = await launch();
  if (prefs) await stage.call({ call: "set_prefs", prefs });
  const base = stage.url.split("/#")[0];
  let link = stage.url;
  const play = {
    stage,
    browser,
    base,
    /** A page that is signed in, at this place. */
    async enter(place = "home", options = {}) {
      const opened = await page(browser, options);
      await opened.goto(link ?? (await stage.freshUrl()));
      link = undefined;
      await opened.waitForURL((url) => !url.hash.includes("token"));
      await go(opened, base, place);
      return opened;
    },
    async end() {
      await browser.close();
      await stage.end();
    },
  };
  return play;
}

/** To another place of the window. */
export async function go(opened, base, place) {
  await opened.goto(`${base}/#/${place}`);
  await opened.getByRole("main").waitFor();
}

/** A page of its own, with what it must not do written down in `wrong`. */
export async function page(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB", ...options });
  context.setDefaultTimeout(HANG_MS);
  const opened = await context.newPage();
  opened.wrong = [];
  opened.on("pageerror", (error) => opened.wrong.push(String(error)));
  opened.on("console", (said) => {
    if (said.type() === "error" && /Content Security Policy|Uncaught/.test(said.text())) opened.wrong.push(said.text());
  });
  return opened;
}

/** Shows one of the two themes, as the system would ask for it. */
export async function theme(opened, colorScheme) {
  await opened.emulateMedia({ colorScheme });
  await opened.locator(`html[data-theme=${colorScheme}]`).waitFor({ state: "attached" });
}

/** No violation of what axe knows, once what moves for a moment has come to rest. */
export async function accessible(opened, what) {
  await opened.evaluate((most) => {
    const passing = document.getAnimations().filter((at) => at.effect?.getComputedTiming().endTime <= most);
    return Promise.allSettled(passing.map((at) => at.finished));
  }, MOMENT_MS);
  const { violations } = await new AxeBuilder({ page: opened }).analyze();
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`);
  assert.deepEqual(found, [], what);
}

/** The names of what moves for longer than a moment. */
export function moving(opened) {
  return opened.evaluate((most) => {
    const long = document.getAnimations().filter((at) => at.effect?.getComputedTiming().endTime > most);
    return long.map((at) => at.animationName ?? "without a name");
  }, MOMENT_MS);
}

/** In a window that was signed out: back in, with a fresh link. */
export async function enterAgain(opened, stage) {
  await opened.getByRole("heading", { name: word("signed_out_title") }).waitFor();
  await opened.getByLabel(word("signed_out_field")).fill(await stage.freshUrl());
  await opened.getByRole("button", { name: word("signed_out_enter") }).click();
}

/** Nothing is wider than the window. */
export async function fits(opened, what) {
  const wide = await opened.evaluate(() => {
    const all = [document.documentElement, ...document.querySelectorAll("main, main > *")];
    return all.filter((part) => part.scrollWidth > part.clientWidth + 1 && getComputedStyle(part).overflowX !== "hidden")
      .map((part) => `${part.tagName}.${part.className}: ${part.scrollWidth} > ${part.clientWidth}`);
  });
  assert.deepEqual(wide, [], what);
}

/** What has the focus, as it is called. */
export function focused(opened) {
  return opened.evaluate(() => {
    const at = document.activeElement;
    if (at === document.body) return "";
    return at?.getAttribute("aria-label") || at?.labels?.[0]?.textContent?.trim() || at?.textContent?.trim() || "";
  });
}

/** Tab until something of this name has the focus. */
export async function tabTo(opened, name) {
  const seen = [];
  for (let tries = 0; tries < 120; tries++) {
    await opened.keyboard.press("Tab");
    const at = await focused(opened);
    if (at.includes(name)) return;
    seen.push(at);
  }
  assert.fail(`Tab never reaches "${name}", only ${[...new Set(seen)].join(", ")}`);
}
