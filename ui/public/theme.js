// Runs before the first paint, so that a chosen theme does not flash. src/lib/prefs.svelte.ts keeps it afterwards.
(() => {
  let theme = "system";
  try {
    theme = JSON.parse(localStorage.getItem("lull.prefs") ?? "{}").theme ?? "system";
  } catch {
    // Unreadable preferences: the system's theme.
  }
  if (theme !== "light" && theme !== "dark") theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.documentElement.dataset.theme = theme;
})();
