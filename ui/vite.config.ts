import { svelte } from "@sveltejs/vite-plugin-svelte";
import tailwindcss from "@tailwindcss/vite";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

import { CSP, scriptedDoor } from "./dev/plugin.ts";

/** The shipped page carries its own policy; whoever serves it may send the same as a header. */
function policy(): Plugin {
  const meta = `<meta http-equiv="Content-Security-Policy" content="${CSP}" />`;
  return {
    name: "lull-csp",
    apply: "build",
    transformIndexHtml: (html) => html.replace("<meta charset", `${meta}\n    <meta charset`),
  };
}

export default defineConfig({
  base: "./",
  plugins: [svelte(), tailwindcss(), policy(), scriptedDoor()],
  // dev/size.mjs bounds what counts: all of it, compressed.
  build: { target: "es2023", sourcemap: false, assetsInlineLimit: 0, reportCompressedSize: false, chunkSizeWarningLimit: 1_000 },
  resolve: process.env.VITEST ? { conditions: ["browser"] } : {},
  test: { environment: "jsdom", env: { TZ: "Europe/Berlin" }, include: ["src/**/*.test.ts", "dev/**/*.test.ts"] },
});
