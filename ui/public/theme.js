// Runs before the first paint, so that a chosen theme does not flash. src/lib/prefs.svelte.ts keeps it afterwards.
(() => {
  let theme;
  try {
    theme = JSON.parse(localStorage.getItem("lull.paint") ?? "{}").theme;
  } catch {
    // Unreadable: the system's theme.
  }
  if (theme !== "light" && theme !== "dark") theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.documentElement.dataset.theme = theme;
})();
