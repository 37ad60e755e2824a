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
  const post = (body) => fetch(`${base}/dev/scene`, { method: "POST", body: JSON.stringify(body) });
  /** Plays a scene for a person with these preferences; `welcomed` unless it says otherwise. */
  const scene = (name, prefs = {}) => post({ scene: name, prefs });
  const say = (event) => post({ event });
  const close = async () => {
    await browser.close();
    await server.close();
  };
  return { base, browser, scene, say, close };
}
