import type { ChatEvent, ChatRequest, Event, Fault, LendingView, Pause, RanHere, Request, Response } from "../src/lib/door.ts";
import { SAMPLE, longAnswer, tokensOf } from "./answers.mjs";
import { type Scene, lendingOf, logOf, modelsOf, statusOf } from "./scenes.ts";

/** A stand-in for a node: it plays scenes, for development and for looking at the screens. Never shipped. */
export class ScriptedNode {
  scene: Scene = "lending";
  #lending: LendingView = lendingOf("lending", Date.now());
  #jobs: RanHere[] = logOf("lending", Date.now());
  #listeners = new Set<(event: Event) => void>();

  play(scene: Scene): void {
    this.scene = scene;
    this.#lending = lendingOf(scene, Date.now());
    this.#jobs = logOf(scene, Date.now());
    this.#tell({ event: "models" });
    this.#tell({ event: "status" });
  }

  listen(on: (event: Event) => void): () => void {
    this.#listeners.add(on);
    return () => this.#listeners.delete(on);
  }

  call(request: Request): Response | { fault: Fault } {
    switch (request.call) {
      case "status":
        return { reply: "status", ...statusOf(this.scene, Date.now(), this.#lending) };
      case "models":
        return { reply: "models", models: modelsOf(this.scene) };
      case "log":
        return { reply: "log", jobs: this.#jobs.slice(0, request.limit) };
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
   * Says what happens to a question. Words in it choose: "fail", "cut", "drop", "wait", "long N" lines, "fast", and "after N"
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
    const by = { node: "c0ffee02b9a4d86f3355aa10c2d9e4f7", name: "desk-4711", model: "ab".repeat(32) };
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
