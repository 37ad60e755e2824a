import type { ChatEvent, ChatRequest, Code, Event, Fault, Request, Response } from "./door";

/** The one way from the screens to the node. */
export interface Backend {
  /** Asks the node; rejects with a {@link DoorError} and with nothing else. */
  call(request: Request): Promise<Response>;
  /** Hears what changed. `heard(false)`: the line is broken and being tried again. Returns the way to stop. */
  events(on: (event: Event) => void, heard?: (open: boolean) => void): () => void;
  /** Asks the pool. The last event is always `done` or `failed`, unless it is stopped before. */
  chat(request: ChatRequest, on: (event: ChatEvent) => void): { stop(): void };
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
