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
  await post(`${base}/ui/login`, { token });
}

async function post(url: string, body: unknown, signal?: AbortSignal): Promise<globalThis.Response> {
  let answer: globalThis.Response;
  try {
    answer = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      credentials: "same-origin",
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
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let tries = 0;
  const open = () => {
    source = new EventSource(`${base}/ui/events`);
    source.onopen = () => {
      tries = 0;
      heard?.(true);
    };
    source.onmessage = ({ data }: MessageEvent<string>) => {
      try {
        on(JSON.parse(data) as Event);
      } catch {
        // A line that cannot be read says at least that something changed.
        on({ event: "status" });
      }
    };
    source.onerror = () => {
      source?.close();
      heard?.(false);
      timer = setTimeout(open, RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
    };
  };
  open();
  return () => {
    clearTimeout(timer);
    source?.close();
  };
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
    const type = answer.headers.get("content-type") ?? "";
    if (!type.startsWith("text/event-stream")) throw new DoorError(await faultIn(answer));
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    const sse = new SseReader();
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
      for (const data of sse.push(part.value)) say(JSON.parse(data) as ChatEvent);
    }
    say({ chat: "failed", ...CUT });
  };
  listen().catch((error: unknown) => {
    say({ chat: "failed", ...(error instanceof DoorError ? error.fault : CUT) });
  });
  return { stop: () => abort.abort() };
}
