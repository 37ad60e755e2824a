import { expect, test } from "vitest";

import { type Backend, DoorError } from "./backend";
import type { Prefs, Request, Response } from "./door";
import { prefs } from "./prefs.svelte";

const FRESH: Prefs = { lang: "de", theme: null, autostart: null, welcomed: false, price_milli_per_kwh: null };

test("what is chosen before the node can be asked is told to it, over what it had, and only that", async () => {
  let kept: Prefs | undefined;
  const backend = {
    call: async (request: Request): Promise<Response> => {
      if (!kept) throw new DoorError({ code: "not_enrolled", message: "" });
      if (request.call === "set_prefs") kept = request.prefs;
      return request.call === "prefs" ? { reply: "prefs", prefs: kept } : { reply: "done" };
    },
  } as Backend;
  prefs.theme = "dark";
  await prefs.read(backend);
  expect([prefs.known, prefs.theme]).toEqual([false, "dark"]);
  kept = FRESH;
  await prefs.read(backend);
  expect(kept).toEqual({ ...FRESH, theme: "dark" });
  expect([prefs.known, prefs.lang]).toEqual([true, "de"]);
  prefs.price_per_kwh = 0.32;
  await expect.poll(() => kept?.price_milli_per_kwh).toBe(320);
  expect(localStorage.getItem("lull.prefs")).toBeNull();
});
