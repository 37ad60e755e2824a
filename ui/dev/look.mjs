// Pictures of every page and state, in both themes and languages and at three sizes, and axe on each of them.
// node dev/look.mjs [FOLDER] [--only WORD] [--lang LANG] [--size SIZE] [--quick]
import { mkdirSync } from "node:fs";
import { AxeBuilder } from "@axe-core/playwright";

import { open } from "./browser.mjs";

const folder = process.argv[2]?.startsWith("--") ? "/tmp/ui-shots" : (process.argv[2] ?? "/tmp/ui-shots");
const option = (name) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : "");
const [only, oneLang, oneSize] = [option("--only"), option("--lang"), option("--size")];
const quick = process.argv.includes("--quick");
const PORT = 5870;
/** Seen twice in a thousand pictures: the browser never came back. Such a picture is named instead of waited for. */
const PICTURE_MS_MAX = 60_000;

const ask = async (page, text) => {
  await page.getByRole("textbox").fill(text);
  await page.keyboard.press("Enter");
};
const chatted = async (page) => {
  await ask(page, "How do I make retries in our payment service idempotent? fast, and move");
  await page.getByText(/tokens\/s|Tokens\/s/).waitFor();
};

/** What is looked at: name, scene, page, and what is done there first. */
const VIEWS = [
  ["home", "lending", "home"],
  ["chat", "lending", "chat", chatted],
  ["models", "lending", "models"],
  ["privacy", "lending", "privacy"],
  ["connect", "lending", "connect"],
  ["settings", "lending", "settings"],
  ["usage", "lending", "usage"],
  ["doctor", "lending", "doctor"],
  ["about", "lending", "about"],
  ["welcome", "first_run", "home", undefined, { welcomed: false }],
  ["join", "not_joined", "home", undefined, { welcomed: false }],
  ["join-wrong", "not_joined", "home", async (page) => {
    await page.getByRole("textbox").first().fill("nonsense");
    await page.locator("form button[type=submit]").click();
    await page.locator(".trouble").waitFor();
  }, { welcomed: false }],
  ["home-waiting", "in_use", "home"],
  ["home-unknown", "unknown", "home"],
  ["home-yielding", "yielding", "home"],
  ["home-paused", "paused", "home"],
  ["home-not-agreed", "first_run", "home"],
  ["home-rules-broken", "rules_broken", "home"],
  ["home-relay-down", "relay_down", "home"],
  ["home-empty", "empty", "home"],
  ["home-month-cost", "lending", "home", (page) => page.getByRole("radio").nth(2).click(), { price_milli_per_kwh: 320 }],
  ["home-menu", "lending", "home", (page) => page.locator("main button[aria-haspopup=menu]").click()],
  ["settings-managed", "organisation", "settings"],
  ["settings-organisation", "organisation", "settings/organisation"],
  ["settings-broken", "rules_broken", "settings"],
  ["settings-wrong", "lending", "settings", async (page) => {
    const field = page.locator("input[inputmode=decimal]").first();
    await field.fill("900");
    await field.blur();
    await page.getByRole("alert").first().waitFor();
  }],
  ["settings-hours", "lending", "settings", async (page) => {
    const add = page.getByRole("button", { name: /Add hours|Zeiten hinzu/ });
    await add.click();
    await page.locator("input[data-new]").fill("Mon-Fri 18:00-08:00");
    await page.keyboard.press("Enter");
    await add.click();
    await page.locator("input[data-new]").fill("nights");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").first().waitFor();
  }],
  ["usage-month", "lending", "usage", (page) => page.getByRole("radio").nth(1).click()],
  ["usage-empty", "empty", "usage"],
  ["doctor-weak", "weak", "doctor"],
  ["privacy-weak", "weak", "privacy"],
  ["privacy-ran", "lending", "privacy/ran"],
  ["privacy-erase", "lending", "privacy", (page) => page.getByRole("button", { name: /Erase what|Löschen, was/ }).click()],
  ["models-empty", "empty", "models"],
  ["models-adding", "adding", "models"],
  ["models-add", "lending", "models", (page) => page.locator("header button").first().click()],
  ["models-remove", "lending", "models", (page) => page.locator("td button.bare").first().click()],
  ["connect-key", "lending", "connect", async (page) => {
    await page.getByRole("textbox").fill("my-editor");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
  }],
  ["connect-off", "empty", "connect"],
  ["chat-new", "lending", "chat"],
  ["chat-empty", "empty", "chat"],
  ["chat-failed", "lending", "chat", async (page) => {
    await ask(page, "please fail");
    await page.locator(".trouble").waitFor();
  }],
  ["chat-cut", "lending", "chat", async (page) => {
    await ask(page, "cut it, fast");
    await page.locator(".trouble").waitFor();
  }],
  ["chat-streaming", "lending", "chat", async (page) => {
    await ask(page, "How do I make retries idempotent?");
    await page.locator(".md p").first().waitFor();
    await page.waitForTimeout(900);
  }],
  ["chat-waiting", "lending", "chat", async (page) => {
    await ask(page, "wait for it");
    await page.getByRole("progressbar").waitFor();
  }],
  ["chat-select", "lending", "chat", (page) => page.locator("form .select").first().click()],
  ["chat-instructions", "lending", "chat", (page) => page.locator("form .row button").nth(1).click()],
  ["gone", "gone", "home"],
  ["signed-out", "signed_out", "home", async (page) => {
    await page.getByRole("textbox").fill("http://127.0.0.1:5855/#token=wrong");
    await page.keyboard.press("Enter");
    await page.locator("#link-wrong").waitFor();
  }],
];
const SIZES = [
  ["1280", { width: 1280, height: 800 }, 1],
  ["800", { width: 800, height: 600 }, 1],
  ["1280-200", { width: 640, height: 400 }, 2],
  ["800-200", { width: 400, height: 300 }, 2],
];

mkdirSync(folder, { recursive: true });
const { base, browser, scene, close } = await open(PORT);
let shots = 0;
let checks = 0;
let step = "";
const wrong = [];
for (const [name, play, at, first, chosen] of VIEWS) {
  if (only && !name.includes(only)) continue;
  for (const theme of ["light", "dark"]) {
    for (const lang of quick ? ["en"] : ["en", "de"].filter((lang) => !oneLang || lang === oneLang)) {
      const sizes = quick ? SIZES.slice(0, 1) : SIZES.filter(([size]) => !oneSize || size === oneSize);
      for (const [size, viewport, deviceScaleFactor] of sizes) {
        const picture = take(name, play, at, first, chosen, theme, lang, size, viewport, deviceScaleFactor);
        const hung = new Promise((done) => setTimeout(done, PICTURE_MS_MAX, "hung"));
        if ((await Promise.race([picture, hung])) === "hung") wrong.push(`${name}-${lang}-${theme}-${size}: did not end, ${step}`);
      }
    }
  }
}
await Promise.race([close(), new Promise((done) => setTimeout(done, 10_000))]);
console.log(`${shots} pictures in ${folder}, axe on ${checks} of them, ${wrong.length} findings`);
for (const line of [...new Set(wrong)]) console.log(line);
process.exit(wrong.length > 0 ? 1 : 0);

/** One picture, and what is wrong with it. */
async function take(name, play, at, first, chosen, theme, lang, size, viewport, deviceScaleFactor) {
  step = "context";
  const context = await browser.newContext({ viewport, deviceScaleFactor, reducedMotion: "reduce" });
  const page = await context.newPage();
  const where = `${name}-${lang}-${theme}-${size}`;
  // A fault of the node is an answer 400; without a node or a session, anything may be said.
  const expected = play === "gone" || play === "signed_out" ? /./ : /status of 400/;
  page.on("console", (line) => line.type() === "error" && !expected.test(line.text()) && wrong.push(`${where}: ${line.text()}`));
  page.on("pageerror", (error) => wrong.push(`${where}: ${error.message}`));
  await scene(play, { theme, lang, ...chosen });
  try {
    step = "goto";
    await page.goto(`${base}/#/${at}`);
    await page.locator("h1").first().waitFor();
    await first?.(page);
    await page.waitForTimeout(250);
  } catch (error) {
    wrong.push(`${where}: ${error.message.split("\n")[0]}`);
  }
  step = "screenshot";
  await page.screenshot({ path: `${folder}/${where}.png` });
  shots += 1;
  step = "evaluate";
  const sideways = await page.evaluate(() => {
    const main = document.querySelector("main") ?? document.body;
    return Math.max(main.scrollWidth - main.clientWidth, document.documentElement.scrollWidth - innerWidth);
  });
  if (sideways > 0) wrong.push(`${where}: scrolls sideways by ${sideways} px`);
  if (lang === "en" && (size === "1280" || size === "1280-200")) {
    const axe = new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]);
    step = "axe";
    const { violations } = await axe.analyze();
    checks += 1;
    for (const { id, nodes, help } of violations) {
      wrong.push(`${where}: axe ${id}: ${help}: ${nodes.map((node) => node.target.join(" ")).slice(0, 3).join(" | ")}`);
    }
  }
  step = "close";
  await context.close();
}
