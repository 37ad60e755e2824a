// What a window shows where there is nothing yet: no lender, no model, no conversation, no record.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { accessible, go, open } from "./window.mjs";
import { word } from "./words.mjs";

let play;
let opened;
before(async () => {
  play = await open();
  await play.stage.say("lender stop");
  opened = await play.enter("home");
});
after(() => play?.end());

const EMPTY = [
  ["home", "gave_none_title"],
  ["chat", "chat_none"],
  ["chat", "chat_no_models_title"],
  ["privacy", "privacy_ran_none"],
  ["usage", "usage_none_title"],
  ["connect", "connect_keys_none"],
];

for (const [place, key] of EMPTY) {
  test(`${place}: ${key}`, async () => {
    await go(opened, play.base, place);
    await opened.getByText(word(key)).first().waitFor();
    await accessible(opened, `${place} with nothing in it`);
    assert.deepEqual(opened.wrong, []);
  });
}

test("the health of a machine whose pool is empty is shown all the same", async () => {
  await go(opened, play.base, "doctor");
  await opened.getByText(word("check_relay")).first().waitFor();
});
