import { PATHS, type Page as DoorPage } from "./door";

/** Those of the navigation, in its order. */
export const NAV = ["home", "chat", "models", "privacy", "usage", "connect", "settings", "doctor", "about"] as const;
export const PAGES = ["welcome", ...NAV] as const;
export type Page = (typeof PAGES)[number];

/** Where the window is: `#/PAGE` or `#/PAGE/REST`. */
class Route {
  page = $state<Page>("home");
  rest = $state("");

  read(hash: string): void {
    const [, name = "", ...rest] = hash.split("/");
    this.page = PAGES.find((page) => page === name) ?? "home";
    this.rest = rest.map(decodeURIComponent).join("/");
  }
}

export const route = new Route();

export function href(page: Page, rest = ""): string {
  return rest ? `#/${page}/${encodeURIComponent(rest)}` : `#/${page}`;
}

export function go(page: Page, rest = ""): void {
  location.hash = href(page, rest);
}

/** Goes where the node says that the window shall be. */
export function show(page: DoorPage | null): void {
  if (page) location.hash = PATHS[page];
}

/** Takes a one-time token out of the address, so that neither history nor a glance keeps it. */
export function takeToken(): string | null {
  const token = /^#token=(.+)$/.exec(location.hash)?.[1];
  if (!token) return null;
  history.replaceState(null, "", `${location.pathname}${location.search}#/home`);
  return decodeURIComponent(token);
}

/** A token in what a person pasted: a whole link, or the token alone. */
export function tokenIn(pasted: string): string {
  const text = pasted.trim();
  return decodeURIComponent(/#token=([^\s&]+)/.exec(text)?.[1] ?? text);
}
