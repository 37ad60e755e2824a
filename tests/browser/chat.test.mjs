// Asking: answers of a real model on another machine, stopped, asked again, edited, and what survives.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { accessible, enterAgain, go, open, theme } from "./window.mjs";
import { any, word } from "./words.mjs";

let play;
let opened;
before(async () => {
  play = await open();
  // A person who has agreed; without a screen here nobody is known to be away, so nothing is lent.
  await play.stage.call({ call: "lend", on: true });
  opened = await play.enter("chat");
});
after(() => play?.end());

const box = () => opened.getByRole("textbox", { name: word("chat_message") });
const answers = () => opened.locator("article").filter({ hasNot: opened.getByRole("button", { name: word("chat_edit"), exact: true }) });
async function ask(text) {
  await opened.getByRole("button", { name: word("chat_send") }).waitFor();
  await box().fill(text);
  await opened.keyboard.press("Enter");
}

test("an answer streams from the other machine and says where it came from", async () => {
  await opened.getByText("lull-demo").first().waitFor();
  const streamed = opened.waitForResponse((response) => response.url().endsWith("/ui/chat"));
  await ask("What is Lull?");
  assert.equal((await streamed).headers()["content-type"], "text/event-stream");
  await opened.getByText(any("chat_tokens_many")).waitFor();
  const text = await answers().last().innerText();
  assert.match(text, /idle computers/);
  assert.match(text, new RegExp(word("chat_by", { name: "oak" })));
  await opened.locator("[role=status]", { hasText: word("chat_done") }).waitFor({ state: "attached" });
  for (const colorScheme of ["light", "dark"]) {
    await theme(opened, colorScheme);
    await accessible(opened, `a conversation, ${colorScheme}`);
  }
});

test("another answer replaces the one before, and editing asks again", async () => {
  await answers().last().getByRole("button", { name: word("chat_regenerate") }).click();
  await opened.getByText(word("chat_replaced")).first().waitFor();
  await opened.getByText(any("chat_tokens_many")).waitFor();
  assert.equal(await opened.locator("article").count(), 2);
  const question = opened.getByRole("article", { name: word("chat_you"), exact: true });
  await question.getByRole("button", { name: word("chat_edit"), exact: true }).click();
  const edited = question.getByRole("textbox", { name: word("chat_edit") });
  await edited.fill("What is a node?");
  await edited.press("Enter");
  await opened.getByText(any("chat_tokens_many")).waitFor();
  assert.equal(await opened.locator("article").count(), 2);
  assert.match(await question.innerText(), /What is a node\?/);
  assert.match(await answers().last().innerText(), /machine/);
});

test("an answer that is awaited can be stopped, which cancels the job", async () => {
  await play.stage.say("lender hold");
  await ask("Who is Lull for?");
  await opened.getByText(any("chat_started")).waitFor();
  await opened.getByRole("button", { name: word("chat_stop") }).click();
  await opened.getByText(word("chat_stopped")).first().waitFor();
  await play.stage.say("lender go");
  await answers().last().getByRole("button", { name: word("chat_regenerate") }).click();
  await opened.getByText(word("chat_stopped")).first().waitFor({ state: "detached" });
  await answers().last().getByText(any("chat_tokens_many")).waitFor();
});

test("nothing typed is lost when the relay goes, and the way back is one click", async () => {
  await play.stage.say("relay stop");
  await go(opened, play.base, "home");
  await opened.getByText(word("relay_down_title")).waitFor();
  await opened.goBack();
  await box().fill("What is yielding?");
  await opened.getByRole("button", { name: word("chat_send") }).click();
  const again = opened.getByRole("button", { name: word("chat_continue") });
  const trouble = opened.locator("[role=alert]").filter({ has: again });
  await trouble.waitFor();
  await box().fill("half a thought");
  await opened.reload();
  await opened.getByText("What is yielding?").first().waitFor();
  assert.equal(await box().inputValue(), "half a thought");
  await play.stage.say("relay start");
  await again.waitFor();
  // The node finds its relay again by itself; until it has, asking again says so once more.
  for (;;) {
    await again.click();
    await opened.getByRole("button", { name: word("chat_stop") }).waitFor({ state: "detached" });
    if ((await trouble.count()) === 0) break;
  }
  await answers().last().getByText(any("chat_tokens_many")).waitFor();
  assert.equal(await box().inputValue(), "half a thought");
});

test("nothing typed is lost when the node goes, and the window comes back by itself", async () => {
  await play.stage.say("node stop");
  await opened.getByText(word("gone_banner")).waitFor();
  await accessible(opened, "the node is gone");
  await box().fill("a whole thought");
  await play.stage.say("node start");
  // A node that starts anew knows no session: the window asks for a new link, and nothing is lost meanwhile.
  await enterAgain(opened, play.stage);
  await box().waitFor();
  assert.equal(await box().inputValue(), "a whole thought");
  assert.deepEqual(opened.wrong, []);
});
