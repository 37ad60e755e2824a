// Real processes for one test file: `lull-ui-stage`, which answers each line with a line of JSON.
import { execFile, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const PROGRAM = process.env.LULL_UI_STAGE ?? `${process.env.CARGO_TARGET_DIR ?? "target"}/debug/lull-ui-stage`;
const LULL = join(dirname(PROGRAM), "lull");

/** Sets the stage; `args` are those of `lull-ui-stage`. */
export async function setStage(...args) {
  const child = spawn(PROGRAM, args, { stdio: ["pipe", "pipe", "inherit"] });
  const gone = new Promise((_, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`the stage ended with ${code}`)));
  });
  gone.catch(() => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await Promise.race([lines.next(), gone]);
    if (done) throw new Error("the stage has ended");
    return JSON.parse(value);
  };
  const facts = await next();
  let turn = Promise.resolve();
  /** Says one line and returns what came of it. */
  const say = (line) => {
    const said = turn.then(async () => {
      child.stdin.write(`${line}\n`);
      const answer = await next();
      if (answer?.error) throw new Error(answer.error);
      return answer;
    });
    turn = said.catch(() => {});
    return said;
  };
  /** `lull admin` of this organisation. */
  const admin = (...args) => promisify(execFile)(LULL, ["admin", "--dir", join(facts.folder, "org"), ...args]);
  return {
    ...facts,
    say,
    /** Signs these rules and hands them out, as IT does; returns what became of them once every machine follows. */
    push: async (rules, days = 90) => {
      const file = join(facts.folder, "pushed.toml");
      await writeFile(file, rules);
      return JSON.parse((await admin("policy", "push", file, "--days", String(days), "--json")).stdout);
    },
    /** Asks the node itself, past the window. */
    call: async (request) => (await say(`call ${JSON.stringify(request)}`)).answer,
    /** The window's address with a token that nobody has used. */
    freshUrl: async () => (await say("url")).url,
    end: () =>
      new Promise((ended) => {
        child.once("exit", ended);
        child.stdin.end();
      }),
  };
}
