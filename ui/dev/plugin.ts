import { setMaxListeners } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Connect, Plugin } from "vite";

import type { ChatRequest, Event, Prefs, Request } from "../src/lib/door.ts";
import { ScriptedNode } from "./node.ts";
import { SCENES, type Scene } from "./scenes.ts";

/** Nothing from elsewhere, nothing inline. The app's own window speaks to its program at `ipc:`. */
export const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; " +
  "connect-src 'self' ipc: http://ipc.localhost; " +
  "base-uri 'none'; form-action 'none'";

/** The token that the scripted node takes. */
export const TOKEN = "dev";

/** The scripted node as HTTP, as a real one speaks it, in `vite dev` and `vite preview`. */
export function scriptedDoor(): Plugin {
  const serve = doorOf(new ScriptedNode());
  return {
    name: "lull-scripted-door",
    configureServer: (server) => void server.middlewares.use(serve),
    configurePreviewServer: (server) => void server.middlewares.use(serve),
  };
}

/** What answers for a scripted node. */
export function doorOf(node: ScriptedNode): Connect.NextHandleFunction {
  return (request, response, next) => {
    const path = request.url?.split("?")[0] ?? "";
    if (path === "/dev/scene") return void scene(node, request, response);
    if (!path.startsWith("/ui/")) return next();
    if (node.scene === "gone") return void request.socket.destroy();
    if (path === "/ui/login") return void login(node, request, response);
    if (node.scene === "signed_out") {
      return json(response, 401, { fault: { code: "unauthorized", message: "This link was used up." } });
    }
    if (path === "/ui/call") return void call(node, request, response);
    if (path === "/ui/events") return events(node, request, response);
    if (path === "/ui/chat") return void chat(node, request, response);
    json(response, 404, { fault: { code: "bad_request", message: "No such path." } });
  };
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

async function read<T>(request: IncomingMessage): Promise<T> {
  let text = "";
  for await (const part of request) text += String(part);
  return JSON.parse(text) as T;
}

async function scene(node: ScriptedNode, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const asked = await read<{ scene?: Scene; prefs?: Partial<Prefs>; event?: Event }>(request);
  if (asked.event) node.say(asked.event);
  if (asked.scene && !SCENES.includes(asked.scene)) return json(response, 400, { scenes: SCENES });
  if (asked.scene) node.play(asked.scene, asked.prefs);
  json(response, 200, asked);
}

async function login(node: ScriptedNode, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { token } = await read<{ token: string }>(request);
  if (token !== TOKEN) {
    return json(response, 401, { fault: { code: "unauthorized", message: "This link is not known or was used up." } });
  }
  if (node.scene === "signed_out") node.play("lending");
  json(response, 200, { session: "dev" });
}

async function call(node: ScriptedNode, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const answer = node.call(await read<Request>(request));
  json(response, "fault" in answer ? 400 : 200, answer);
}

function stream(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  response.flushHeaders();
}

function events(node: ScriptedNode, request: IncomingMessage, response: ServerResponse): void {
  stream(response);
  const stop = node.listen((event) => response.write(`data: ${JSON.stringify(event)}\n\n`));
  const watch = setInterval(() => node.scene === "gone" && request.socket.destroy(), 200);
  request.on("close", () => (stop(), clearInterval(watch)));
}

async function chat(node: ScriptedNode, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const asked = await read<ChatRequest>(request);
  const stopped = new AbortController();
  setMaxListeners(0, stopped.signal);
  response.on("close", () => stopped.abort());
  stream(response);
  for await (const event of node.chat(asked, stopped.signal)) {
    if (node.scene === "gone") return void request.socket.destroy();
    response.write(`data: ${JSON.stringify(event)}\n\n`);
  }
  response.end();
}
