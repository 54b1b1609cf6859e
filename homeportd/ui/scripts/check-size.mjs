// Fails when the dashboard's JavaScript, all of it, gzipped, is over the limit. Run `npm run build` first.
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const LIMIT = 60_000; // bytes
const folder = new URL("../../src/homeportd/static/assets/", import.meta.url);

let total = 0;
for (const name of readdirSync(folder).sort()) {
  const size = gzipSync(readFileSync(new URL(name, folder))).length;
  if (name.endsWith(".js")) total += size;
  console.log(`${String(size).padStart(7)}  ${name}`);
}
console.log(`${String(total).padStart(7)}  JavaScript in total, gzipped; the limit is ${LIMIT}`);
if (total === 0 || total > LIMIT) {
  console.error(
    total === 0 ? "error: nothing is built\nfix: npm run build" : "error: too large\nfix: import less",
  );
  process.exit(1);
}
