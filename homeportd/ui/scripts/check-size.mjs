// Fails when the dashboard, gzipped, is over a limit: what every page loads, or what is loaded when it is asked for.
// Run `npm run build` first.
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const FIRST_LOAD = 60_000; // bytes: the page, and the scripts and styles that it names or its scripts import
const LAZY = 140_000; // bytes of all other scripts
const folder = new URL("../../src/homeportd/static/", import.meta.url);
const read = (name) => readFileSync(new URL(name, folder), "utf8");
const sizeOf = (name) => gzipSync(readFileSync(new URL(name, folder))).length;

const first = new Set(["index.html"]);
for (const [, name] of read("index.html").matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)) first.add(name);
// A set is iterated with what is added meanwhile.
for (const name of first) {
  if (!name.endsWith(".js")) continue;
  for (const [, imported] of read(name).matchAll(/(?:from|import)"\.\/([^"]+)"/g))
    first.add(`assets/${imported}`);
}
const scripts = readdirSync(new URL("assets/", folder)).map((name) => `assets/${name}`);
const lazy = scripts.filter((name) => name.endsWith(".js") && !first.has(name));

let failed = scripts.length === 0;
if (failed) console.error("error: nothing is built\nfix: npm run build");
for (const [what, names, limit] of [
  ["first load", [...first], FIRST_LOAD],
  ["loaded later", lazy, LAZY],
]) {
  const sizes = names.map((name) => [sizeOf(name), name]).sort((a, b) => b[0] - a[0]);
  const total = sizes.reduce((sum, [size]) => sum + size, 0);
  for (const [size, name] of sizes) console.log(`${String(size).padStart(7)}  ${name}`);
  console.log(`${String(total).padStart(7)}  ${what}, gzipped; the limit is ${limit}`);
  if (total > limit) {
    console.error(`error: ${what} is too large\nfix: import less, or later`);
    failed = true;
  }
}
if (failed) process.exit(1);
