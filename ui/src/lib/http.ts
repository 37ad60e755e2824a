import { type Backend, DoorError, readableFault } from "./backend";
import { type ChatEvent, type ChatRequest, type Event, type Fault, type Request, type Response } from "./door";
import { download } from "./files";
import { SseReader } from "./sse";

/** How long a call may take before the node counts as silent, and one that asks others or looks at the whole machine. */
const CALL_TIMEOUT_MS = 15_000;
const SLOW_TIMEOUT_MS = 90_000;
const SLOW: ReadonlySet<Request["call"]> = new Set(["join", "doctor", "diagnostics"]);
/** Waits between tries to hear events again. */
const RETRY_MS = [500, 1_000, 2_000, 5_000] as const;

const SESSION_KEY = "lull.session";

const SILENT: Fault = { code: "not_running", message: "Lull's node on this machine does not answer." };
const CUT: Fault = { code: "not_running", message: "The node went away in the middle of the answer." };

/** The node over HTTP on this machine. `base` ends without a slash: `""` is the page's own origin. */
export function httpBackend(base = ""): Backend {
  return {
    call: (request) => call(base, request),
    events: (on, heard) => events(base, on, heard),
    chat: (request, on) => chat(base, request, on),
    save: async (name, type, text) => (download(name, type, text), true),
    app: false,
  };
}

/** Changes a one-time token into a session. */
export async function login(token: string, base = ""): Promise<void> {
  const answer = await post(`${base}/ui/login`, { token });
  const body: unknown = await answer.json().catch(() => null);
  if (typeof body === "object" && body !== null && "session" in body) session.keep(String(body.session));
}

/**
 * Who this page is signed in as. Kept by the browser for this port alone, unlike a cookie, which it would send to
 * whatever listens on any other port of this machine.
 */
const session = {
  kept: undefined as string | undefined,
  keep(text: string) {
    this.kept = text;
    try {
      localStorage.setItem(SESSION_KEY, text);
    } catch {
      // A browser that keeps nothing asks for a fresh link after a reload.
    }
  },
  header(): Record<string, string> {
    try {
      // Another tab may have signed in since.
      this.kept = localStorage.getItem(SESSION_KEY) ?? this.kept;
    } catch {
      // As above.
    }
    return this.kept ? { authorization: `Bearer ${this.kept}` } : {};
  },
};

async function post(url: string, body: unknown, signal?: AbortSignal): Promise<globalThis.Response> {
  let answer: globalThis.Response;
  try {
    answer = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...session.header() },
      body: JSON.stringify(body),
      credentials: "omit",
      signal: signal ?? AbortSignal.timeout(CALL_TIMEOUT_MS),
    });
  } catch {
    throw new DoorError(SILENT);
  }
  if (!answer.ok) throw new DoorError(await faultIn(answer));
  return answer;
}

async function call(base: string, request: Request): Promise<Response> {
  const limit = AbortSignal.timeout(SLOW.has(request.call) ? SLOW_TIMEOUT_MS : CALL_TIMEOUT_MS);
  const answer = await post(`${base}/ui/call`, request, limit);
  const body: unknown = await answer.json().catch(() => null);
  const fault = readFault(body);
  if (fault) throw new DoorError(fault);
  if (typeof body !== "object" || body === null || !("reply" in body)) {
    throw new DoorError({ code: "bad_frame", message: "The node's answer could not be read." });
  }
  return body as Response;
}

async function faultIn(answer: globalThis.Response): Promise<Fault> {
  const fault = readFault(await answer.json().catch(() => null));
  if (fault) return fault;
  if (answer.status === 401 || answer.status === 403) {
    return { code: "unauthorized", message: "This window is not signed in to the node." };
  }
  // A gateway's word, or a server that stops: nobody is there who could answer.
  if (answer.status >= 502) return SILENT;
  return { code: "internal", message: `The node answered with HTTP ${answer.status}.` };
}

function readFault(body: unknown): Fault | null {
  return typeof body === "object" && body !== null && "fault" in body ? readableFault(body.fault) : null;
}

function events(base: string, on: (event: Event) => void, heard?: (open: boolean) => void): () => void {
  const abort = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let tries = 0;
  const open = async () => {
    const { signal } = abort;
    const answer = await fetch(`${base}/ui/events`, { headers: session.header(), credentials: "omit", signal });
    if (!isStream(answer)) return;
    tries = 0;
    heard?.(true);
    await eachOf(answer, (data) => {
      try {
        on(JSON.parse(data) as Event);
      } catch {
        // A line that cannot be read says at least that something changed.
        on({ event: "status" });
      }
    });
  };
  const again = () => {
    if (abort.signal.aborted) return;
    heard?.(false);
    timer = setTimeout(listen, RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
  };
  const listen = () => void open().then(again, again);
  listen();
  return () => {
    clearTimeout(timer);
    abort.abort();
  };
}

function isStream(answer: globalThis.Response): boolean {
  return answer.ok && (answer.headers.get("content-type") ?? "").startsWith("text/event-stream");
}

/** The data of each event of a stream, until it ends. */
async function eachOf(answer: globalThis.Response, on: (data: string) => void): Promise<void> {
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  const sse = new SseReader();
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
    for (const data of sse.push(part.value)) on(data);
  }
}

function chat(base: string, request: ChatRequest, on: (event: ChatEvent) => void): { stop(): void } {
  const abort = new AbortController();
  let over = false;
  const say = (event: ChatEvent) => {
    if (over || abort.signal.aborted) return;
    over = event.chat === "done" || event.chat === "failed";
    on(event);
  };
  const listen = async () => {
    const answer = await post(`${base}/ui/chat`, request, abort.signal);
    if (!isStream(answer)) throw new DoorError(await faultIn(answer));
    await eachOf(answer, (data) => say(JSON.parse(data) as ChatEvent));
    say({ chat: "failed", ...CUT });
  };
  listen().catch((error: unknown) => {
    say({ chat: "failed", ...(error instanceof DoorError ? error.fault : CUT) });
  });
  return { stop: () => abort.abort() };
}
