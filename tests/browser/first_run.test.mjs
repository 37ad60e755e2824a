// From a machine that knows nothing to one that lends, or does not: links, invitations, agreeing and declining.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { accessible, go, open, page, tabTo, theme } from "./window.mjs";
import { any, word } from "./words.mjs";

let play;
before(async () => (play = await open({ args: [], prefs: null })));
after(() => play?.end());

test("a window without a session says how to get in, and takes no wrong link", async () => {
  const opened = await page(play.browser);
  await opened.goto(play.base);
  await opened.getByRole("heading", { name: word("signed_out_title") }).waitFor();
  await accessible(opened, "signed out");
  const enter = opened.getByRole("button", { name: word("signed_out_enter") });
  await enter.click();
  await opened.getByText(word("signed_out_empty")).waitFor();
  await opened.getByLabel(word("signed_out_field")).fill(`${play.base}/#token=${"0".repeat(64)}`);
  await enter.click();
  await opened.getByText(word("signed_out_wrong")).waitFor();

  const link = await play.stage.freshUrl();
  await opened.getByLabel(word("signed_out_field")).fill(link);
  await enter.click();
  await opened.getByRole("heading", { name: word("join_title") }).waitFor();
  await opened.reload();
  await opened.getByRole("heading", { name: word("join_title") }).waitFor();

  const second = await page(play.browser);
  await second.goto(link);
  await second.getByRole("heading", { name: word("signed_out_title") }).waitFor();
  // A fresh link opened in that very tab changes nothing but the end of its address.
  await second.goto(await play.stage.freshUrl());
  await second.getByRole("heading", { name: word("join_title") }).waitFor();
  assert.ok(!second.url().includes("token"));
  assert.deepEqual([...opened.wrong, ...second.wrong], []);
  await second.context().close();
  await opened.context().close();
});

test("a wrong invitation is refused with a sentence, a right one joins, and declining lends nothing", async () => {
  const opened = await play.enter("home");
  await opened.getByRole("heading", { name: word("join_title") }).waitFor();
  for (const colorScheme of ["light", "dark"]) {
    await theme(opened, colorScheme);
    await accessible(opened, `joining, ${colorScheme}`);
  }
  const invitation = opened.getByLabel(word("join_token"), { exact: true });
  const join = opened.getByRole("button", { name: word("join_do"), exact: true });
  await join.click();
  await opened.getByText(word("join_empty")).waitFor();
  await invitation.fill("lull1-this-is-none");
  await join.click();
  await opened.getByText(word("join_wrong")).first().waitFor();
  assert.equal(await invitation.inputValue(), "lull1-this-is-none", "nothing typed is lost");
  assert.equal((await play.stage.call({ call: "status" })).fault.code, "not_enrolled");

  await invitation.fill(play.stage.invitation);
  await join.click();
  await opened.getByRole("heading", { name: word("first_title") }).waitFor();
  await accessible(opened, "agreeing");
  await tabTo(opened, word("first_decline"));
  await opened.keyboard.press("Enter");
  await opened.getByRole("heading", { level: 1, name: word("title_off") }).waitFor();
  const { lending } = await play.stage.call({ call: "status" });
  assert.deepEqual([lending.lending, lending.reason.because], ["off", "not_agreed"]);
  await opened.reload();
  await opened.getByRole("heading", { level: 1, name: word("title_off") }).waitFor();
  assert.deepEqual(opened.wrong, []);
  await opened.context().close();
});

test("joining while the relay is away loses nothing, and agreeing begins to lend", async () => {
  const other = await open({ args: [], prefs: null });
  try {
    const opened = await other.enter("home");
    await opened.getByLabel(word("join_token"), { exact: true }).fill(other.stage.invitation);
    await other.stage.say("relay stop");
    await opened.getByRole("button", { name: word("join_do"), exact: true }).click();
    await opened.getByText(word("join_unreachable_way")).waitFor();
    await other.stage.say("relay start");
    await opened.getByRole("button", { name: word("join_do"), exact: true }).click();
    await opened.getByRole("heading", { name: word("first_title") }).waitFor();
    await opened.getByRole("button", { name: word("first_agree") }).click();
    await opened.getByRole("heading", { level: 1, name: any("title_waiting") }).or(
      opened.getByRole("heading", { level: 1, name: any("title_starting") })).first().waitFor();
    const { lending } = await other.stage.call({ call: "status" });
    assert.notEqual(lending.lending, "off");
    await go(opened, other.base, "welcome");
    assert.deepEqual(opened.wrong, []);
  } finally {
    await other.end();
  }
});
