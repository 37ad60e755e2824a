// Prints the size of the built window and fails above its bound. Everything counts: page, styles, scripts, font.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const GZIP_BYTES_MAX = 250_000;

const rows = readdirSync("dist", { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => {
    const path = join(entry.parentPath, entry.name);
    const bytes = readFileSync(path);
    return { path, bytes: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
  })
  .sort((one, other) => other.gzip - one.gzip);
const total = rows.reduce((sum, row) => sum + row.gzip, 0);

for (const { path, bytes, gzip } of rows) console.log(`${String(gzip).padStart(8)} gzip ${String(bytes).padStart(8)}  ${path}`);
console.log(`${String(total).padStart(8)} gzip in all, of ${GZIP_BYTES_MAX}`);
if (total > GZIP_BYTES_MAX) {
  console.error(`The window is ${total - GZIP_BYTES_MAX} bytes too large: see which file grew.`);
  process.exit(1);
}
