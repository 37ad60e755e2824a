/** What is shipped with the window, and under which licence. src/lib/made_with.test.ts compares it with package.json. */
export const MADE_WITH = [
  { name: "svelte", version: "5.57.3", licence: "MIT" },
  { name: "bits-ui", version: "2.21.0", licence: "MIT" },
  { name: "marked", version: "18.2.1", licence: "MIT" },
  { name: "@tauri-apps/api", version: "2.12.5", licence: "Apache-2.0 OR MIT" },
  { name: "remend", version: "1.4.0", licence: "Apache-2.0" },
  { name: "dompurify", version: "3.4.18", licence: "MPL-2.0 OR Apache-2.0" },
  { name: "highlight.js", version: "11.12.0", licence: "BSD-3-Clause" },
  { name: "@fontsource-variable/figtree", version: "5.3.0", licence: "OFL-1.1" },
] as const;
