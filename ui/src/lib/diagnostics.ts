import { type Backend, ask, faultOf } from "./backend";
import { dated } from "./export";
import { toasts } from "./toast.svelte";
import { t } from "./words";

/** Hands the person what someone who is to help them needs. */
export async function diagnostics(backend: Backend): Promise<void> {
  try {
    const { json } = await ask(backend, { call: "diagnostics" }, "diagnostics");
    if (await backend.save(dated("lull-diagnostics", "json"), "application/json", json)) toasts.say(t("saved"));
  } catch (error) {
    const { message, code } = faultOf(error);
    toasts.say(`${message} (${code})`, { tone: "wrong" });
  }
}
