import { expect, test } from "vitest";

import { PATHS } from "./door";
import { PAGES, href, route, takeToken, tokenIn } from "./route.svelte";

test("a token leaves the address at once", () => {
  history.replaceState(null, "", "/#token=a%2Bb");
  expect(takeToken()).toBe("a+b");
  expect(location.href).not.toContain("token");
  expect(takeToken()).toBeNull();
});

test("a pasted link or token is a token", () => {
  expect(tokenIn(" http://127.0.0.1:5855/#token=abc%2B \n")).toBe("abc+");
  expect(tokenIn("abc")).toBe("abc");
});

test("what is no code for anything is itself", () => {
  expect(tokenIn("a%zz")).toBe("a%zz");
  history.replaceState(null, "", "/#token=%");
  expect(takeToken()).toBe("%");
  route.read("#/chat/%E0%A4");
  expect([route.page, route.rest]).toEqual(["chat", "%E0%A4"]);
});

test("an address that is not known is the first page", () => {
  for (const [hash, page, rest] of [["#/chat/x%20y", "chat", "x y"], ["#/nowhere", "home", ""], ["", "home", ""]] as const) {
    route.read(hash);
    expect([route.page, route.rest]).toEqual([page, rest]);
  }
  expect(href("chat", "x y")).toBe("#/chat/x%20y");
});

test("every page that the node can name is one of the window's", () => {
  for (const path of Object.values(PATHS)) {
    route.read(path);
    expect(href(route.page, route.rest)).toBe(path);
    expect(PAGES).toContain(route.page);
  }
});
