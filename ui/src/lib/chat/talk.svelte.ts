import type { Backend } from "../backend";
import type { ChatEvent, Fault, FinishReason, Answered, JobTimings, Label, Message, Usage } from "../door";
import type { Attached, Body, Head, KeptTurn, TurnState } from "./kept";

/** The longest answer that is asked for, in tokens; a model with less room stops earlier by itself. */
const ANSWER_TOKENS_MAX = 4_096;
/** While an answer comes, it is kept this often. */
const KEEP_EVERY_MS = 1_000;
const TITLE_CHARS_MAX = 60;
/** Seeds fit a 32-bit number. */
const SEEDS = 2 ** 32;

/** One turn on the screen. The text of a growing answer is plain: `beat` says when to look at it again. */
export class Turn {
  readonly id: string;
  readonly role: KeptTurn["role"];
  readonly files: Attached[];
  text: string;
  beat = $state(0);
  state = $state<TurnState>("done");
  ahead = $state(0);
  fault = $state.raw<Fault>();
  by = $state.raw<Answered>();
  usage = $state.raw<Usage>();
  timings = $state.raw<JobTimings>();
  finish = $state<FinishReason>();
  model: string | undefined;
  /** How often another machine took over. */
  moved = $state(0);
  tokens = 0;
  /** When the first and the last token came, in milliseconds of the page's clock. */
  first_at = 0;
  last_at = 0;

  constructor(kept: Omit<KeptTurn, "id"> & { id?: string }) {
    this.id = kept.id ?? crypto.randomUUID();
    this.role = kept.role;
    this.files = kept.files;
    this.text = kept.text;
    // An answer that was under way when the window closed did not come any further.
    this.state = kept.state === "waiting" || kept.state === "streaming" ? "stopped" : kept.state;
    this.fault = kept.fault;
    this.by = kept.by;
    this.usage = kept.usage;
    this.timings = kept.timings;
    this.finish = kept.finish;
    this.model = kept.model;
    this.moved = kept.moved ?? 0;
  }

  get growing(): boolean {
    return this.state === "waiting" || this.state === "streaming";
  }

  /** Tokens per second from the first token to the last. */
  get speed(): number | null {
    if (this.usage && this.timings) {
      const us = this.timings.total_us - this.timings.first_token_us;
      return us > 0 && this.usage.completion_tokens > 1 ? (this.usage.completion_tokens / us) * 1e6 : null;
    }
    const ms = this.last_at - this.first_at;
    return this.tokens > 1 && ms > 500 ? (this.tokens / ms) * 1000 : null;
  }

  kept(): KeptTurn {
    const { id, role, text, files, state, fault, model, by, usage, timings, finish, moved } = this;
    const all = { id, role, text, files, state, fault, model, by, usage, timings, finish, moved: moved || undefined };
    return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as KeptTurn;
  }
}

/** What a conversation needs from outside. */
export type Around = { backend: Backend; keep: (head: Head, body: Body) => void };

/** One conversation: its turns, and the answer that is coming. It goes on while another page is looked at. */
export class Talk {
  readonly id: string;
  readonly created: number;
  updated = $state(0);
  title = $state("");
  model = $state<string | null>(null);
  label = $state<Label>("internal");
  system = $state("");
  turns = $state.raw<Turn[]>([]);
  answering = $state.raw<Turn>();

  readonly #around: Around;
  #chat: { stop(): void } | undefined;
  #keepTimer: ReturnType<typeof setTimeout> | undefined;
  #frame = 0;
  #over = false;

  constructor(around: Around, head: Head, body?: Body) {
    this.#around = around;
    this.id = head.id;
    this.created = head.created;
    this.updated = head.updated;
    this.title = head.title;
    if (!body) return;
    this.model = body.model;
    this.label = body.label;
    this.system = body.system;
    this.turns = body.turns.map((turn) => new Turn(turn));
  }

  get head(): Head {
    return { id: this.id, title: this.title, created: this.created, updated: this.updated };
  }

  /** Asks, with what was said before. */
  send(text: string, files: Attached[], model: string): void {
    if (!this.title) this.title = titleOf(text, files);
    this.turns = [...this.turns, new Turn({ role: "user", text, files, state: "done" })];
    this.#ask(model);
  }

  /** Asks the same again. Returns the way back. */
  again(answer: Turn, model: string): () => void {
    const before = this.turns;
    this.turns = before.slice(0, before.indexOf(answer));
    this.#ask(model);
    return () => this.#restore(before);
  }

  /** Says something else instead; what came after it goes. Returns the way back. */
  edit(question: Turn, text: string, model: string): () => void {
    const before = this.turns;
    const changed = new Turn({ ...question.kept(), id: crypto.randomUUID(), text });
    this.turns = [...before.slice(0, before.indexOf(question)), changed];
    this.#ask(model);
    return () => this.#restore(before);
  }

  stop(): void {
    this.#chat?.stop();
    if (this.answering) this.#end(this.answering, "stopped");
  }

  /** Stops for good: nothing of it is kept any more. */
  end(): void {
    this.#over = true;
    this.stop();
    clearTimeout(this.#keepTimer);
  }

  /** Keeps it now. */
  keep(): void {
    clearTimeout(this.#keepTimer);
    this.#keepTimer = undefined;
    if (this.turns.length === 0 || this.#over) return;
    const { id, model, label, system } = this;
    this.#around.keep(this.head, { id, model, label, system, turns: this.turns.map((turn) => turn.kept()) });
  }

  #restore(turns: Turn[]): void {
    this.stop();
    this.turns = turns;
    this.keep();
  }

  #ask(model: string): void {
    this.stop();
    const messages = this.#messages();
    const turn = new Turn({ role: "assistant", text: "", files: [], state: "done", model });
    turn.state = "waiting";
    this.model = model;
    this.updated = Date.now();
    this.answering = turn;
    this.turns = [...this.turns, turn];
    this.keep();
    const sampling = { max_tokens: ANSWER_TOKENS_MAX, seed: Math.floor(Math.random() * SEEDS) };
    this.#chat = this.#around.backend.chat({ model, messages, label: this.label, sampling }, (event) => {
      if (this.answering === turn) this.#hear(turn, event);
    });
  }

  #messages(): Message[] {
    const system: Message[] = this.system.trim() ? [{ role: "system", content: this.system }] : [];
    const said = this.turns.map(({ role, text, files }): Message => ({ role, content: withFiles(text, files) }));
    return [...system, ...said.filter((message) => message.content !== "")];
  }

  #hear(turn: Turn, event: ChatEvent): void {
    switch (event.chat) {
      case "queued":
        turn.ahead = event.ahead;
        break;
      case "started":
        if (turn.by) turn.moved += 1;
        turn.by = event.by;
        turn.ahead = 0;
        break;
      case "token":
        turn.last_at = performance.now();
        if (turn.tokens === 0) turn.first_at = turn.last_at;
        turn.tokens += 1;
        this.#grow(turn, event.text);
        break;
      case "tail":
        this.#grow(turn, event.text);
        break;
      case "done":
        turn.usage = event.usage;
        turn.timings = event.timings;
        turn.finish = event.finish;
        this.#end(turn, "done");
        break;
      case "failed":
        turn.fault = { code: event.code, message: event.message };
        this.#end(turn, "failed");
        break;
    }
  }

  #grow(turn: Turn, text: string): void {
    turn.text += text;
    if (turn.state === "waiting") turn.state = "streaming";
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      turn.beat += 1;
    });
    this.#keepTimer ??= setTimeout(() => this.keep(), KEEP_EVERY_MS);
  }

  #end(turn: Turn, state: TurnState): void {
    turn.state = state;
    turn.beat += 1;
    this.answering = undefined;
    this.#chat = undefined;
    this.keep();
  }
}

/** A message as the model gets it: the files first, each in a fence of its own. */
export function withFiles(text: string, files: Attached[]): string {
  const fenced = files.map((file) => {
    const ticks = Math.max(3, ...[...file.text.matchAll(/`+/g)].map(([run]) => run.length + 1));
    const fence = "`".repeat(ticks);
    return `${file.name}:\n${fence}\n${file.text}${file.text.endsWith("\n") ? "" : "\n"}${fence}`;
  });
  return [...fenced, text].filter(Boolean).join("\n\n");
}

function titleOf(text: string, files: Attached[]): string {
  const line = text.trim().split("\n")[0] || files[0]?.name || "";
  return line.length > TITLE_CHARS_MAX ? `${line.slice(0, TITLE_CHARS_MAX - 1).trimEnd()}…` : line;
}
