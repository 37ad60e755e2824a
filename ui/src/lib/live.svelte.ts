import { type Backend, ask, faultOf } from "./backend";
import {
  type AddingView,
  type Event,
  type Fault,
  type ModelView,
  RAN_REPLY_MAX,
  type RanHere,
  type Request,
  type RulesView,
  type StatusView,
} from "./door";
import { counts } from "./lending";
import { prefs } from "./prefs.svelte";
import { show } from "./route.svelte";
import { toasts } from "./toast.svelte";

/** How often the clock of the screens moves without, and with, a countdown. */
const TICK_MS = 20_000;
const COUNTDOWN_MS = 1_000;
/** While the node is silent, it is asked again this often. */
const AGAIN_MS = 2_000;

/** What the screens know of the node: one copy, kept fresh by its events. */
export class Live {
  status = $state.raw<StatusView>();
  models = $state.raw<ModelView[]>();
  adding = $state.raw<AddingView[]>([]);
  rules = $state.raw<RulesView>();
  jobs = $state.raw<RanHere[]>();
  /** Why the node did not answer the last time, while it does not. */
  silent = $state.raw<Fault>();
  now = $state(Date.now());

  /** Models that can be asked now. */
  offered = $derived((this.models ?? []).filter((model) => model.lenders > 0 && model.fault === null));
  /** The one to begin with: the fastest that is not the demo. */
  best = $derived.by(() => {
    const real = this.offered.filter(({ name }) => name !== "lull-demo");
    return (real.length > 0 ? real : this.offered).toSorted((a, b) => (b.decode_tps ?? 0) - (a.decode_tps ?? 0))[0]?.name;
  });
  signedOut = $derived(this.silent?.code === "unauthorized");
  /** The node answers, and belongs to no organisation. */
  notJoined = $derived(this.silent?.code === "not_enrolled");
  relayDown = $derived(this.status?.relay.link === "down");
  #counting = $derived(counts(this.status?.lending));

  readonly backend: Backend;
  #asking: Promise<void> | undefined;
  #again = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lent = -1;

  constructor(backend: Backend) {
    this.backend = backend;
  }

  /** Listens until the returned function is called. Lives where effects live. */
  start(): void {
    $effect(() => {
      const stop = this.backend.events(
        (event) => void this.#hear(event),
        () => void this.refresh(),
      );
      void this.refresh();
      return () => {
        stop();
        clearTimeout(this.#timer);
      };
    });
    $effect(() => {
      const timer = setInterval(() => (this.now = Date.now()), this.#counting ? COUNTDOWN_MS : TICK_MS);
      this.now = Date.now();
      return () => clearInterval(timer);
    });
  }

  #hear(event: Event): void | Promise<void> {
    switch (event.event) {
      case "models":
        return this.readModels();
      case "rules":
        return this.readRules();
      case "prefs":
        return prefs.read(this.backend);
      case "show":
        return show(event.page);
      default:
        return this.refresh();
    }
  }

  /** Asks how things stand; calls that come meanwhile are one call afterwards. */
  refresh(): Promise<void> {
    if (this.#asking) {
      this.#again = true;
      return this.#asking;
    }
    this.#asking = this.#read().finally(() => {
      this.#asking = undefined;
      if (this.#again) {
        this.#again = false;
        void this.refresh();
      }
    });
    return this.#asking;
  }

  /** Asks the node to do something. Says so when it does not work; `true` when it did. */
  async act(request: Request, said?: string): Promise<boolean> {
    try {
      await this.backend.call(request);
    } catch (error) {
      const { message, code } = faultOf(error);
      toasts.say(`${message} (${code})`, { tone: "wrong" });
      return false;
    } finally {
      void this.refresh();
    }
    if (said) toasts.say(said);
    return true;
  }

  /** Reads the log again. */
  async readLog(): Promise<void> {
    try {
      this.jobs = (await ask(this.backend, { call: "log", limit: RAN_REPLY_MAX, before: null }, "log")).jobs;
    } catch {
      // `refresh` says when the node is silent.
    }
  }

  /** Reads the rules again. */
  async readRules(): Promise<void> {
    try {
      const { reply: _, ...rules } = await ask(this.backend, { call: "rules" }, "rules");
      this.rules = rules;
    } catch {
      // As above.
    }
  }

  async #read(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      const { reply: _, ...status } = await ask(this.backend, { call: "status" }, "status");
      const wasSilent = this.silent !== undefined || this.status === undefined;
      // Before the first screen, so that nothing moves under a hand.
      if (wasSilent) await Promise.all([prefs.read(this.backend), this.readModels(), this.readRules()]);
      this.status = status;
      this.silent = undefined;
      this.now = Date.now();
      if (wasSilent || status.jobs_lent !== this.#lent) await this.readLog();
      this.#lent = status.jobs_lent;
    } catch (error) {
      this.silent = faultOf(error);
      if (this.notJoined) {
        this.status = undefined;
        if (!prefs.known) await prefs.read(this.backend);
      }
      if (this.silent.code !== "unauthorized") this.#timer = setTimeout(() => void this.refresh(), AGAIN_MS);
    }
  }

  /** Reads the models again, and what is being added. */
  async readModels(): Promise<void> {
    try {
      const { models, adding } = await ask(this.backend, { call: "models" }, "models");
      this.models = models;
      this.adding = adding;
    } catch {
      // As above.
    }
  }
}
