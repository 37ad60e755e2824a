/** The door's types: generated from `lull-types`, with what the window may leave out of a question. */
import type { ChatRequest as WholeChatRequest, Sampling } from "./door.gen.ts";

export * from "./door.gen.ts";

/** What is left out has the default of Rust: label `internal`, temperature 1, 512 tokens, seed 0. */
export type ChatRequest = Pick<WholeChatRequest, "model" | "messages"> &
  Partial<Pick<WholeChatRequest, "label">> & { sampling?: Partial<Sampling> };

/** The most jobs one answer to `log` holds: `RAN_REPLY_MAX` of `lull-node`. */
export const RAN_REPLY_MAX = 5_000;
