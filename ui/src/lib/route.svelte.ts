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
    this.rest = rest.map(decoded).join("/");
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

/** Whether a link with a one-time token was opened where the window was open already: only its hash has changed then. */
export function newToken(): boolean {
  return location.hash.startsWith("#token=");
}

/** Takes a one-time token out of the address, so that neither history nor a glance keeps it. */
export function takeToken(): string | null {
  const token = /^#token=(.+)$/.exec(location.hash)?.[1];
  if (!token) return null;
  history.replaceState(null, "", `${location.pathname}${location.search}#/home`);
  return decoded(token);
}

/** A token in what a person pasted: a whole link, or the token alone. */
export function tokenIn(pasted: string): string {
  const text = pasted.trim();
  return decoded(/#token=([^\s&]+)/.exec(text)?.[1] ?? text);
}

/** What stands in an address may be anything; what is no code for anything is itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
