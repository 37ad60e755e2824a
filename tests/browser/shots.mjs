// Pictures of every page in both themes, of a real organisation at work: node tests/browser/shots.mjs OUT_DIR
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { PAGES, POLICY, WELCOMED, go, open, page, theme } from "./window.mjs";
import { any, word } from "./words.mjs";

const out = process.argv[2];
if (!out) {
  console.error("usage: node tests/browser/shots.mjs OUT_DIR");
  process.exit(2);
}
mkdirSync(out, { recursive: true });

/** What is asked: `lull-demo` knows the answers, and says them with code in them. */
const TALKS = [
  ["How do I pause lending?", "What does lull log show?"],
  ["Can the relay read my prompts?"],
  ["What is Lull?", "What is yielding?", "Is there a desktop app?"],
];
let taken = 0;

async function take(opened, name) {
  for (const colorScheme of ["light", "dark"]) {
    await theme(opened, colorScheme);
    // What appears or changes its colour comes to rest; what breathes is stopped where it is.
    await opened.screenshot({ path: join(out, `${name}-${colorScheme}.png`), animations: "disabled", caret: "hide" });
    taken += 1;
  }
}

async function firstPages() {
  const play = await open({ args: [], prefs: null });
  try {
    const opened = await play.enter("home");
    await opened.getByRole("heading", { name: word("join_title") }).waitFor();
    await take(opened, "welcome-join");
    await opened.getByLabel(word("join_token"), { exact: true }).fill(play.stage.invitation);
    await opened.getByRole("button", { name: word("join_do"), exact: true }).click();
    await opened.getByRole("heading", { name: word("first_title") }).waitFor();
    await opened.getByText(any("join_done")).first().waitFor({ state: "detached" });
    await take(opened, "welcome");
    const stranger = await page(play.browser);
    await stranger.goto(play.base);
    await stranger.getByRole("heading", { name: word("signed_out_title") }).waitFor();
    await take(stranger, "signed-out");
  } finally {
    await play.end();
  }
}

/** Pages of which a part is worth a picture of its own. */
const PARTS = { "privacy-labels": "privacy/labels", "settings-organisation": "settings/organisation" };

/** Colleagues ask, the organisation decides, this person asks, a tool gets a key, a rule is changed. */
async function work(play, opened) {
  const { stage } = play;
  await stage.say("lender stop");
  await stage.say("ask 7");
  await stage.say("lender start");
  await stage.push(POLICY);
  await stage.call({ call: "create_key", name: "my-editor" });
  await stage.call({ call: "create_key", name: "nightly-reports" });
  await stage.call({ call: "set_rule", key: "lend.idle_minutes", value: { value: "number", is: 10 } });
  // Paused, so that the other machine answers.
  await stage.call({ call: "pause", pause: { pause: "forever" }, finish: false });
  for (const questions of TALKS) {
    await go(opened, play.base, "chat");
    for (const [index, question] of questions.entries()) {
      const box = opened.getByRole("textbox", { name: word("chat_message") });
      await box.fill(question);
      await opened.getByRole("button", { name: word("chat_send") }).click();
      await opened.locator("article").nth(index * 2 + 1).getByText(any("chat_tokens_many")).waitFor();
    }
  }
  await stage.call({ call: "resume" });
}

async function pages() {
  const play = await open({ args: ["--joined", "--dedicated"], prefs: { ...WELCOMED, price_milli_per_kwh: 320 } });
  try {
    const opened = await play.enter("home");
    await opened.getByRole("heading", { level: 1, name: word("title_lending"), exact: true }).waitFor();
    await work(play, opened);
    const talk = new URL(opened.url()).hash.slice(2);
    await go(opened, play.base, "home");
    await opened.getByRole("heading", { level: 1, name: word("title_lending"), exact: true }).waitFor();
    for (const place of PAGES) {
      await go(opened, play.base, place === "chat" ? talk : place);
      await opened.getByRole("heading", { level: 1 }).first().waitFor();
      if (place === "doctor") await opened.getByText(any("doctor_looked")).waitFor();
      if (place === "usage") await opened.getByRole("row", { name: /lull-demo/ }).first().waitFor();
      if (place === "connect") await opened.getByText("my-editor").first().waitFor();
      await take(opened, place);
    }
    for (const [name, place] of Object.entries(PARTS)) {
      await go(opened, play.base, place);
      await opened.getByRole("heading", { name: word(name === "privacy-labels" ? "labels_title" : "settings_jump"), exact: true }).waitFor();
      await take(opened, name);
    }
    await play.stage.call({ call: "pause", pause: { pause: "for", seconds: 3600 }, finish: false });
    await go(opened, play.base, "home");
    await opened.getByRole("heading", { level: 1, name: word("title_paused") }).waitFor();
    await take(opened, "home-paused");
    await play.stage.say("relay stop");
    await opened.getByText(word("relay_down_title")).waitFor();
    await take(opened, "home-no-relay");
  } finally {
    await play.end();
  }
}

await firstPages();
await pages();
console.log(`${taken} pictures in ${out}`);
