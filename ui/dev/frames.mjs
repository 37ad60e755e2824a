// Frame times while 100 tokens a second stream: under a 2,000-line conversation, and in an answer of 2,000 lines.
// node dev/frames.mjs [SECONDS]
import { open } from "./browser.mjs";
import { longAnswer } from "./answers.mjs";

const seconds = Number(process.argv[2] ?? 15);
const TURNS = 40;
const LINES = 2_000;
const LIMIT_MS = 50;

const { base, browser, scene, close } = await open(5871);
await scene("lending", { lang: "en", theme: "light" });

async function conversation(page) {
  const text = longAnswer((LINES / TURNS) * 2);
  await page.goto(`${base}/#/chat`);
  await page.getByRole("textbox").waitFor();
  await page.evaluate(
    ({ text, turns }) =>
      new Promise((done, fail) => {
        const request = indexedDB.open("lull", 1);
        request.onerror = fail;
        request.onsuccess = () => {
          const head = { id: "long", title: "Long", created: Date.now(), updated: Date.now() };
          const body = { id: "long", model: "llama-3.2-1b-instruct", label: "internal", system: "" };
          body.turns = Array.from({ length: turns }, (_, i) => ({
            id: String(i),
            role: i % 2 ? "assistant" : "user",
            text: i % 2 ? text : "And then?",
            files: [],
            state: "done",
          }));
          const write = request.result.transaction(["heads", "bodies"], "readwrite");
          write.objectStore("heads").put(head);
          write.objectStore("bodies").put(body);
          write.oncomplete = done;
        };
      }),
    { text, turns: TURNS },
  );
  await page.goto(`${base}/#/home`);
  await page.reload();
}

/**
 * Looks at the page while something goes on: gaps between frames as the clock sees them, and tasks of the page's main
 * thread in processor time, which other programs on a busy machine do not lengthen.
 */
async function look(page, name, during) {
  await page.evaluate(() => {
    const gaps = (globalThis.gaps = []);
    let last = performance.now();
    const tick = (now) => {
      gaps.push(now - last);
      last = now;
      if (globalThis.gaps === gaps) requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  await browser.startTracing(page, { categories: ["toplevel", "devtools.timeline"] });
  await during();
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString());
  const gaps = (await page.evaluate(() => globalThis.gaps)).slice(2).sort((a, b) => a - b);
  const tasks = tasksOf(traceEvents);
  const at = (sorted, share) => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1);
  const cpu = tasks.map((task) => task.cpu_ms).sort((a, b) => a - b);
  const late = gaps.filter((gap) => gap > LIMIT_MS).length;
  const over = cpu.filter((ms) => ms > LIMIT_MS).length;
  console.log(`${name}`);
  console.log(`  frames by the clock: ${gaps.length}, p50 ${at(gaps, 0.5)}, p99 ${at(gaps, 0.99)}, max ${at(gaps, 1)} ms; over ${LIMIT_MS} ms: ${late}`);
  console.log(`  main-thread tasks by processor time: ${cpu.length}, p99 ${at(cpu, 0.99)}, max ${at(cpu, 1)} ms; over ${LIMIT_MS} ms: ${over}`);
  for (const { cpu_ms, parts } of tasks.filter((task) => task.cpu_ms > LIMIT_MS / 2).slice(0, 5)) {
    console.log(`    ${cpu_ms.toFixed(0)} ms: ${parts.join(", ")}`);
  }
  return over;
}

/** Top-level tasks of the renderer's main thread, the dearest first, each with what took most of it. */
function tasksOf(events) {
  const main = new Map();
  for (const { name, args, pid, tid } of events) {
    if (name === "thread_name" && args.name === "CrRendererMain") main.set(`${pid}.${tid}`, []);
  }
  for (const event of events) if (event.ph === "X") main.get(`${event.pid}.${event.tid}`)?.push(event);
  const thread = [...main.values()].sort((one, other) => other.length - one.length)[0] ?? [];
  const tasks = thread.filter(({ name }) => name === "ThreadControllerImpl::RunTask" || name === "RunTask");
  const inner = thread.filter(({ cat }) => cat.includes("devtools.timeline") && !cat.includes("toplevel"));
  return tasks
    .map((task) => ({ task, cpu_ms: (task.tdur ?? task.dur) / 1000 }))
    .sort((one, other) => other.cpu_ms - one.cpu_ms)
    .map(({ task, cpu_ms }, index) => {
      if (index > 5) return { cpu_ms, parts: [] };
      const within = inner.filter(({ ts, dur = 0 }) => ts >= task.ts && ts + dur <= task.ts + task.dur);
      const parts = within
        .map(({ name, tdur, dur = 0 }) => [name, (tdur ?? dur) / 1000])
        .sort((one, other) => other[1] - one[1])
        .slice(0, 4)
        .map(([name, ms]) => `${name} ${ms.toFixed(0)}`);
      return { cpu_ms, parts };
    });
}

let over = 0;
const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
const page = await context.newPage();

await conversation(page);
await look(page, `Opening a conversation of ${LINES} lines`, async () => {
  await page.evaluate(() => (location.hash = "#/chat/long"));
  await page.waitForTimeout(3_000);
});

await page.getByRole("textbox").fill("long 400");
over += await look(page, `100 tokens/s under ${LINES} lines, from the question on`, async () => {
  await page.keyboard.press("Enter");
  await page.waitForTimeout(seconds * 1_000);
});
await page.getByRole("button", { name: "Stop" }).click();

await page.evaluate(() => (location.hash = "#/chat"));
await page.getByText("Ask a colleague").waitFor();
await page.getByRole("textbox").fill("long 3000 after 30000");
await page.keyboard.press("Enter");
await page.waitForFunction(() => (document.querySelector(".md")?.textContent?.length ?? 0) > 120_000);
await page.waitForTimeout(2_000);
over += await look(page, "100 tokens/s at the end of one answer of more than 120,000 characters", () => page.waitForTimeout(seconds * 1_000));

await close();
process.exit(over > 0 ? 1 : 0);
