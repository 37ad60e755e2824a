import { toasts } from "./toast.svelte";
import { t } from "./words";

/** Copies text; says so when the system does not allow it. */
export async function clip(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    toasts.say(t("copy_failed"), { tone: "wrong" });
    return false;
  }
}
