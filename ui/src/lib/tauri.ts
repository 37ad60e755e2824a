import { Channel, invoke } from "@tauri-apps/api/core";

import { type Backend, DoorError, readableFault } from "./backend";
import type { ChatEvent, ChatRequest, Event, Response } from "./door";

/** What comes on the line of events: an event, or whether the line to the node is open. */
type Heard = Event | { heard: boolean };

/** Whether this page is in the app's own window. */
export const inApp = (): boolean => "__TAURI_INTERNALS__" in globalThis;

/** The node through the app's window, which forwards everything and connects again by itself. */
export function tauriBackend(): Backend {
  return {
    call: (request) => asked<Response>("call", { request }),
    events: (on, heard) => {
      const channel = new Channel<Heard>((message) => ("heard" in message ? heard?.(message.heard) : on(message)));
      asked("events", { channel }).catch(() => heard?.(false));
      return () => {
        channel.onmessage = () => {};
      };
    },
    chat,
    save: (name, _type, text) => asked<boolean>("save", { name, text }),
    pickModel: (folder) => asked<string | null>("pick_model", { folder }),
    app: true,
  };
}

async function asked<T>(command: string, args: Record<string, unknown>): Promise<T> {
  try {
    return await invoke<T>(command, args);
  } catch (said) {
    throw new DoorError(readableFault(said));
  }
}

function chat(request: ChatRequest, on: (event: ChatEvent) => void): { stop(): void } {
  let over = false;
  const say = (event: ChatEvent) => {
    if (over) return;
    over = event.chat === "done" || event.chat === "failed";
    on(event);
  };
  const begun = asked<number>("chat", { request, channel: new Channel<ChatEvent>(say) });
  begun.catch((error: DoorError) => say({ chat: "failed", ...error.fault }));
  return {
    stop: () => {
      over = true;
      // One that was refused has nothing to stop.
      void begun.then((id) => asked("stop_chat", { id })).catch(() => undefined);
    },
  };
}
