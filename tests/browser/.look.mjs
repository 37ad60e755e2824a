import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { open, POLICY, WELCOMED, go, theme } from "./window.mjs";
const play = await open();
await play.stage.push(POLICY + '\n[login]\nissuer = "https://login.acme.example/realms/everybody-of-acme"\nclient = "lull"\n', 10);
const o = await play.enter("privacy/labels");
for (const [lang, scheme, w, h, dsf] of [["en","light",1280,900],["de","dark",1280,900],["de","light",640,500]]) {
  await play.stage.call({ call: "set_prefs", prefs: { ...WELCOMED, lang } });
  await theme(o, scheme); await o.setViewportSize({ width: w, height: h });
  for (const p of ["privacy/labels", "settings/organisation", "doctor", "chat"]) {
    await go(o, play.base, p); await o.waitForTimeout(p === "doctor" ? 2500 : 600);
    if (p === "chat") { await o.getByRole("combobox", { name: /^Label/ }).click(); await o.waitForTimeout(400); }
    await o.screenshot({ path: `/tmp/look-${p.replace("/","-")}-${lang}-${scheme}-${w}.png` });
    if (p === "chat") await o.keyboard.press("Escape");
  }
}
await o.setViewportSize({ width: 1280, height: 900 });
await writeFile(join(play.stage.home, "policy.signed"), "x");
for (const [lang, scheme] of [["en","light"],["de","dark"]]) {
  await play.stage.call({ call: "set_prefs", prefs: { ...WELCOMED, lang } }); await theme(o, scheme);
  for (const p of ["settings/organisation", "settings", "chat", "doctor", "privacy/labels", "home"]) { await go(o, play.base, p); await o.waitForTimeout(2600);
    if (p==="settings") await o.evaluate(()=>document.querySelector("main")?.scrollTo(0,0));
    await o.screenshot({ path: `/tmp/broken-${p.replace("/","-")}-${lang}-${scheme}.png` }); }
}
await play.end();
