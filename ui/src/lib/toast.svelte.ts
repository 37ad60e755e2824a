/** How long a word stays. */
const STAYS_MS = 6_000;
/** How long one stays that can be undone. */
const UNDO_MS = 10_000;
const AT_ONCE_MAX = 3;

export type Toast = { id: number; text: string; tone: "calm" | "wrong"; undo: (() => void) | undefined };

class Toasts {
  list = $state<Toast[]>([]);
  #next = 1;

  say(text: string, more: { tone?: Toast["tone"]; undo?: () => void } = {}): void {
    const id = this.#next++;
    this.list = [...this.list, { id, text, tone: more.tone ?? "calm", undo: more.undo }].slice(-AT_ONCE_MAX);
    setTimeout(() => this.drop(id), more.undo ? UNDO_MS : STAYS_MS);
  }

  drop(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();
