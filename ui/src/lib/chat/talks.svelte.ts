import type { Backend } from "../backend";
import { toasts } from "../toast.svelte";
import { t } from "../words";
import { type Body, type Head, type Shelf, drafts, openShelf, shelfInMemory } from "./kept";
import { Talk } from "./talk.svelte";

/** All conversations of this window, and those that are open. */
export class Talks {
  heads = $state.raw<Head[]>([]);
  ready = $state(false);

  readonly #backend: Backend;
  #shelf: Shelf = shelfInMemory();
  #open = new Map<string, Talk>();
  #warned = false;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  async start(): Promise<void> {
    try {
      this.#shelf = await openShelf();
      this.#sort(await this.#shelf.heads());
    } catch {
      this.#warn();
    }
    this.ready = true;
  }

  /** A conversation by its id; one that is not known yet begins. */
  async open(id: string): Promise<Talk> {
    const open = this.#open.get(id);
    if (open) return open;
    const head = this.heads.find((head) => head.id === id);
    const body = head ? await this.#shelf.body(id).catch(() => undefined) : undefined;
    const talk = new Talk(
      { backend: this.#backend, keep: (head, body) => void this.#keep(head, body) },
      head ?? { id, title: "", created: Date.now(), updated: Date.now() },
      body,
    );
    this.#open.set(id, talk);
    return talk;
  }

  async remove(talk: Talk): Promise<void> {
    talk.stop();
    const head = talk.head;
    const body: Body | undefined = await this.#shelf.body(talk.id).catch(() => undefined);
    this.#open.delete(talk.id);
    this.#sort(this.heads.filter(({ id }) => id !== talk.id));
    await this.#shelf.remove(talk.id).catch(() => this.#warn());
    toasts.say(t("chat_deleted"), body ? { undo: () => void this.#keep(head, body) } : {});
  }

  /** Every conversation with its words. */
  async all(): Promise<(Head & Body)[]> {
    const bodies = this.heads.map(async (head) => {
      const body = await this.#shelf.body(head.id).catch(() => undefined);
      return body ? [{ ...head, ...body }] : [];
    });
    return (await Promise.all(bodies)).flat();
  }

  /** Forgets every conversation, and what was written and not sent. */
  async clear(): Promise<void> {
    const ids = new Set([...this.heads.map(({ id }) => id), ...this.#open.keys()]);
    for (const talk of this.#open.values()) talk.end();
    this.#open.clear();
    this.heads = [];
    for (const id of ids) await this.#shelf.remove(id).catch(() => this.#warn());
    drafts.clear();
  }

  /** Whether an answer is coming in some conversation. */
  answering(id: string): boolean {
    return this.#open.get(id)?.answering !== undefined;
  }

  async #keep(head: Head, body: Body): Promise<void> {
    this.#sort([head, ...this.heads.filter(({ id }) => id !== head.id)]);
    try {
      await this.#shelf.put(head, body);
    } catch {
      this.#warn();
    }
  }

  #sort(heads: Head[]): void {
    this.heads = heads.toSorted((one, other) => other.updated - one.updated);
  }

  #warn(): void {
    if (!this.#warned) toasts.say(t("chat_not_kept"), { tone: "wrong" });
    this.#warned = true;
  }
}
