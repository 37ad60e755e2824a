import type {
  AddingView,
  ChatEvent,
  ChatRequest,
  Event,
  Fault,
  KeyView,
  LendingView,
  Pause,
  Prefs,
  RanHere,
  Request,
  Response,
  RuleValue,
  UsedDay,
} from "../src/lib/door.ts";
import { ADDING, STORED_THINGS, findingsOf, keysOf, rulesOf, usageOf } from "./own.ts";
import { SAMPLE, longAnswer, tokensOf } from "./answers.mjs";
import { type Scene, lendingOf, logOf, modelsOf, statusOf } from "./scenes.ts";

const WELCOMED: Prefs = { lang: null, theme: null, autostart: null, welcomed: true, price_milli_per_kwh: null };

/** A stand-in for a node: it plays scenes, for development and for looking at the screens. Never shipped. */
export class ScriptedNode {
  scene: Scene = "lending";
  #lending: LendingView = lendingOf("lending", Date.now());
  #jobs: RanHere[] = logOf("lending", Date.now());
  #keys: KeyView[] = keysOf("lending");
  #usage: UsedDay[] = usageOf("lending", Date.now());
  #chosen = new Map<string, RuleValue>();
  #adding: AddingView[] = [];
  #removed = new Set<string>();
  #prefs: Prefs = WELCOMED;
  #listeners = new Set<(event: Event) => void>();

  play(scene: Scene, prefs: Partial<Prefs> = {}): void {
    this.scene = scene;
    this.#prefs = { ...WELCOMED, ...prefs };
    this.#keys = keysOf(scene);
    this.#usage = usageOf(scene, Date.now());
    this.#chosen.clear();
    this.#adding = scene === "adding" ? [...ADDING] : [];
    this.#removed.clear();
    this.#lending = lendingOf(scene, Date.now());
    this.#jobs = logOf(scene, Date.now());
    for (const event of ["prefs", "models", "rules", "status"] as const) this.#tell({ event });
  }

  /** Says something to every window. */
  say(event: Event): void {
    this.#tell(event);
  }

  listen(on: (event: Event) => void): () => void {
    this.#listeners.add(on);
    return () => this.#listeners.delete(on);
  }

  call(request: Request): Response | { fault: Fault } {
    if (this.scene === "not_joined" && !["join", "prefs", "set_prefs", "doctor", "diagnostics"].includes(request.call)) {
      return fault("not_enrolled", "this machine has not joined an organisation");
    }
    return this.#own(request) ?? this.#lend(request);
  }

  #own(request: Request): Response | { fault: Fault } | null {
    switch (request.call) {
      case "prefs":
        return { reply: "prefs", prefs: this.#prefs };
      case "set_prefs":
        this.#prefs = request.prefs;
        this.#tell({ event: "prefs" });
        return { reply: "done" };
      case "join":
        if (request.token === "used") return fault("invitation_used", "this invitation was used up on 2026-11-20");
        if (!request.token.startsWith("lull-")) return fault("bad_request", "this is no invitation: it ends too early");
        this.play("first_run", { ...this.#prefs, welcomed: false });
        return { reply: "done" };
      case "rules":
        return { reply: "rules", ...rulesOf(this.scene, this.#chosen) };
      case "set_rule":
        if (request.value?.value === "hours" && request.value.is.some((row) => !/^(never|[A-Z\d])/.test(row))) {
          return fault("bad_request", `lend.hours: \`${request.value.is.join(", ")}\` is not a window; write it as \`Mon-Fri 18:00-08:00\``);
        }
        if (request.value) this.#chosen.set(request.key, request.value);
        else this.#chosen.delete(request.key);
        this.#tell({ event: "rules" });
        return { reply: "done" };
      case "keys":
        return { reply: "keys", keys: this.#keys };
      case "create_key":
        if (this.#keys.some(({ name }) => name === request.name)) return fault("bad_request", `a key called ${request.name} is there already`);
        this.#keys = [...this.#keys, { name: request.name, created_s: Math.round(Date.now() / 1000) }];
        return { reply: "key", key: "lull_sk_5kP0v2TqXw8mZr1LhN4cJ7bYeD3sGa9U" };
      case "revoke_key":
        this.#keys = this.#keys.filter(({ name }) => name !== request.name);
        return { reply: "done" };
      case "usage":
        return { reply: "usage", days: this.#usage };
      case "erase_usage":
        this.#usage = [];
        return { reply: "done" };
      case "stored":
        return { reply: "stored", things: STORED_THINGS };
      case "doctor":
        return { reply: "doctor", findings: findingsOf(this.scene) };
      case "diagnostics":
        return { reply: "diagnostics", json: JSON.stringify({ version: "0.4.0", findings: findingsOf(this.scene) }, null, 2) };
      default:
        return null;
    }
  }

  #lend(request: Request): Response | { fault: Fault } {
    switch (request.call) {
      case "status":
        return { reply: "status", ...statusOf(this.scene, Date.now(), this.#lending) };
      case "models":
        return { reply: "models", models: modelsOf(this.scene).filter(({ name }) => !this.#removed.has(name)), adding: this.#adding };
      case "add_model":
        this.#adding = [...this.#adding, { path: request.path, file: request.path.split("/").at(-1) ?? "", done_bytes: 3e8, total_bytes: 9e8, fault: null }];
        this.#tell({ event: "models" });
        return { reply: "done" };
      case "forget_adding":
        this.#adding = this.#adding.filter(({ path }) => path !== request.path);
        this.#tell({ event: "models" });
        return { reply: "done" };
      case "remove_model":
        this.#removed.add(request.name);
        this.#tell({ event: "models" });
        return { reply: "done" };
      case "log": {
        const older = this.#jobs.filter(({ id }) => request.before === null || request.before === undefined || id < request.before);
        return { reply: "log", jobs: older.slice(0, request.limit) };
      }
      case "erase_log":
        this.#jobs = [];
        return { reply: "done" };
      case "lend":
        if (request.on && this.scene === "no_worker") return fault("unconfined", "no worker can run here");
        return this.#now(lendingOf(request.on ? "empty" : "first_run", Date.now()));
      case "pause":
        return this.#now(paused(request.pause, request.finish));
      case "resume":
        return this.#now(lendingOf("lending", Date.now()));
      case "rescan":
      case "stop":
        this.#tell({ event: "models" });
        return { reply: "done" };
      default:
        return fault("bad_request", "the node does not know this call");
    }
  }

  /**
   * Says what happens to a question. Words in it choose: "fail", "cut", "drop", "wait", "move", "long N" lines, "fast", and "after N"
   * tokens at once, the rest at 100 a second.
   */
  async *chat(request: ChatRequest, stopped: AbortSignal): AsyncGenerator<ChatEvent> {
    const asked = request.messages.at(-1)?.content ?? "";
    const start = performance.now();
    const us = () => Math.round((performance.now() - start) * 1000);
    if (asked.includes("fail") || this.scene === "relay_down") {
      await rest(300);
      yield { chat: "failed", code: "no_lender", message: `No machine offered ${request.model} within 30 s.` };
      return;
    }
    yield { chat: "queued", ahead: asked.includes("wait") ? 3 : 0 };
    await rest(asked.includes("wait") ? 60_000 : 250, stopped);
    const by = { node: "c0ffee02b9a4d86f3355aa10c2d9e4f7", name: "desk-4711", model: "ab".repeat(32), machine: "16 threads" };
    if (asked.includes("move")) {
      yield { chat: "started", job: "00fe".repeat(8), by: { ...by, name: "desk-0815", machine: "8 threads" } };
      await rest(300, stopped);
    }
    yield { chat: "started", job: "00ff".repeat(8), by };
    const grant_us = us();
    await rest(180, stopped);
    const first_token_us = us();
    const long = /long (\d+)/.exec(asked);
    const tokens = tokensOf(long ? longAnswer(Number(long[1])) : SAMPLE);
    const pace = asked.includes("fast") ? 0 : 10;
    const after = Number(/after (\d+)/.exec(asked)?.[1] ?? 0);
    let begin = performance.now();
    for (const [position, text] of tokens.entries()) {
      if (stopped.aborted) return;
      if (asked.includes("drop") && position === 60) return;
      if (asked.includes("cut") && position === 60) {
        yield { chat: "failed", code: "lender_lost", message: "desk-4711 went away in the middle of the answer." };
        return;
      }
      yield { chat: "token", position, id: 100 + position, text };
      if (position < after) {
        if (position % 500 === 0) await rest(5, stopped);
        begin = performance.now();
        continue;
      }
      const due = begin + (position - after + 1) * pace - performance.now();
      if (due > 2) await rest(due, stopped);
    }
    yield {
      chat: "done",
      finish: "stop",
      usage: { prompt_tokens: 312, completion_tokens: tokens.length },
      timings: { grant_us, first_token_us, total_us: us() },
    };
  }

  #now(lending: LendingView): Response {
    this.#lending = lending;
    this.#tell({ event: "status" });
    return { reply: "done" };
  }

  #tell(event: Event): void {
    for (const on of this.#listeners) on(event);
  }
}

function paused(pause: Pause, finish: boolean): LendingView {
  if (finish) return { ...lendingOf("lending", 0), finishing: true } as LendingView;
  const tomorrow = new Date();
  tomorrow.setDate(tomorrow.getDate() + 1);
  tomorrow.setHours(6, 0, 0, 0);
  const until =
    pause.pause === "for"
      ? Date.now() + pause.seconds * 1000
      : pause.pause === "until_tomorrow"
        ? tomorrow.getTime()
        : null;
  return { lending: "paused", until, words: "paused by you" };
}

const fault = (code: Fault["code"], message: string) => ({ fault: { code, message } });

const rest = (ms: number, stopped?: AbortSignal) =>
  new Promise<void>((done) => {
    if (stopped?.aborted) return done();
    const timer = setTimeout(done, ms);
    stopped?.addEventListener("abort", () => (clearTimeout(timer), done()), { once: true });
  });
