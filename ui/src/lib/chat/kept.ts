import type { Answered, Fault, FinishReason, JobTimings, Label, Usage } from "../door";

/** A text file that came with a message. */
export type Attached = { name: string; text: string };
export type TurnState = "waiting" | "streaming" | "done" | "stopped" | "failed";

/** One turn of a conversation, as it is kept. */
export type KeptTurn = {
  id: string;
  role: "user" | "assistant";
  text: string;
  files: Attached[];
  state: TurnState;
  fault?: Fault;
  model?: string;
  by?: Answered;
  usage?: Usage;
  timings?: JobTimings;
  finish?: FinishReason;
  /** How often another machine took over while it came; not there: never. */
  moved?: number;
};

/** A conversation without its words: what the list shows. */
export type Head = { id: string; title: string; created: number; updated: number };
export type Body = { id: string; model: string | null; label: Label; system: string; turns: KeptTurn[] };

const NAME = "lull";
const VERSION = 1;

/** The person's conversations, in this window's own storage. */
export interface Shelf {
  heads(): Promise<Head[]>;
  body(id: string): Promise<Body | undefined>;
  put(head: Head, body: Body): Promise<void>;
  remove(id: string): Promise<void>;
}

/** The conversations on disk. Rejects where the browser has no storage for it. */
export async function openShelf(): Promise<Shelf> {
  const db = await new Promise<IDBDatabase>((done, fail) => {
    const open = indexedDB.open(NAME, VERSION);
    open.onupgradeneeded = () => {
      open.result.createObjectStore("heads", { keyPath: "id" });
      open.result.createObjectStore("bodies", { keyPath: "id" });
    };
    open.onsuccess = () => done(open.result);
    open.onerror = () => fail(open.error ?? new Error("no storage"));
    open.onblocked = () => fail(new Error("another window holds an older version open"));
  });
  const read = <T>(store: string, ask: (store: IDBObjectStore) => IDBRequest<T>) =>
    new Promise<T>((done, fail) => {
      const request = ask(db.transaction(store).objectStore(store));
      request.onsuccess = () => done(request.result);
      request.onerror = () => fail(request.error ?? new Error("storage failed"));
    });
  const write = (work: (heads: IDBObjectStore, bodies: IDBObjectStore) => void) =>
    new Promise<void>((done, fail) => {
      const transaction = db.transaction(["heads", "bodies"], "readwrite");
      work(transaction.objectStore("heads"), transaction.objectStore("bodies"));
      transaction.oncomplete = () => done();
      transaction.onerror = () => fail(transaction.error ?? new Error("storage failed"));
      transaction.onabort = () => fail(transaction.error ?? new Error("storage is full"));
    });
  return {
    heads: () => read("heads", (store) => store.getAll() as IDBRequest<Head[]>),
    body: (id) => read("bodies", (store) => store.get(id) as IDBRequest<Body | undefined>),
    put: (head, body) => write((heads, bodies) => (heads.put(head), bodies.put(body))),
    remove: (id) => write((heads, bodies) => (heads.delete(id), bodies.delete(id))),
  };
}

/** Conversations as long as the window lives. */
export function shelfInMemory(): Shelf {
  const kept = new Map<string, { head: Head; body: Body }>();
  return {
    heads: async () => [...kept.values()].map(({ head }) => head),
    body: async (id) => structuredClone(kept.get(id)?.body),
    put: async (head, body) => void kept.set(head.id, structuredClone({ head, body })),
    remove: async (id) => void kept.delete(id),
  };
}

const DRAFT = "lull.draft.";

/** What is written and not sent yet, kept at every keystroke. */
export const drafts = {
  clear(): void {
    try {
      for (const key of Object.keys(localStorage)) if (key.startsWith(DRAFT)) localStorage.removeItem(key);
    } catch {
      // No storage: nothing is in it.
    }
  },
  read(id: string): string {
    try {
      return localStorage.getItem(DRAFT + id) ?? "";
    } catch {
      return "";
    }
  },
  write(id: string, text: string): void {
    try {
      if (text) localStorage.setItem(DRAFT + id, text);
      else localStorage.removeItem(DRAFT + id);
    } catch {
      // No room or no storage: it stays in the field.
    }
  },
};
