import { CODES, type ChatEvent, type ChatRequest, type Code, type Event, type Fault, type Request, type Response } from "./door";

/** The one way from the screens to the node. */
export interface Backend {
  /** Asks the node; rejects with a {@link DoorError} and with nothing else. */
  call(request: Request): Promise<Response>;
  /** Hears what changed. `heard(false)`: the line is broken and being tried again. Returns the way to stop. */
  events(on: (event: Event) => void, heard?: (open: boolean) => void): () => void;
  /** Asks the pool. The last event is always `done` or `failed`, unless it is stopped before. */
  chat(request: ChatRequest, on: (event: ChatEvent) => void): { stop(): void };
  /** Hands a text to the person as a file; `false`: they changed their mind. */
  save(name: string, type: string, text: string): Promise<boolean>;
  /** Lets the person choose a model on this machine, where the window can; `null`: they changed their mind. */
  pickModel?(folder: boolean): Promise<string | null>;
  /** Whether this is the app's own window, which can start by itself. */
  readonly app: boolean;
}

/** Why the node did not answer as asked. */
export class DoorError extends Error {
  readonly code: Code;

  constructor(fault: Fault) {
    super(fault.message);
    this.name = "DoorError";
    this.code = fault.code;
  }

  get fault(): Fault {
    return { code: this.code, message: this.message };
  }
}

/** A fault from outside: one whose code this window does not know is a fault of Lull's own. */
export function readableFault(said: unknown): Fault {
  const { code, message } = (typeof said === "object" && said !== null ? said : { message: said }) as Partial<Fault>;
  const known = CODES.find((name) => name === code);
  return { code: known ?? "internal", message: String(message ?? code ?? "") };
}

/** Whatever was thrown, as a fault that a person can read. */
export function faultOf(error: unknown): Fault {
  if (error instanceof DoorError) return error.fault;
  return { code: "internal", message: error instanceof Error ? error.message : String(error) };
}

/** The answer of the kind that the question calls for. */
export async function ask<R extends Response["reply"]>(
  backend: Backend,
  request: Request,
  reply: R,
): Promise<Extract<Response, { reply: R }>> {
  const response = await backend.call(request);
  if (response.reply !== reply) {
    throw new DoorError({ code: "internal", message: `asked for ${reply}, answered with ${response.reply}` });
  }
  return response as Extract<Response, { reply: R }>;
}
