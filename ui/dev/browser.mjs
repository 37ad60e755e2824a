// The built window, served with the scripted node, in Debian's Chromium.
import { chromium } from "playwright-core";
import { preview } from "vite";

export async function open(port) {
  const server = await preview({ preview: { port, strictPort: true }, logLevel: "error" });
  const base = `http://127.0.0.1:${port}`;
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu"],
  });
  const scene = (name) => fetch(`${base}/dev/scene`, { method: "POST", body: JSON.stringify({ scene: name }) });
  const close = async () => {
    await browser.close();
    await server.close();
  };
  return { base, browser, scene, close };
}

/** Preferences before the first script runs; `answered` skips the first-run page. */
export const prefs = (page, chosen) =>
  page.addInitScript((text) => localStorage.setItem("lull.prefs", text), JSON.stringify({ answered: true, ...chosen }));
