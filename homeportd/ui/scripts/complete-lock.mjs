// Add to package-lock.json the optional packages of platforms whose packages the registry at hand did not have.
// Such a registry makes npm write a lock that `npm ci` refuses ("Missing: … from lock file"). Run it after
// `npm install`. The added entries have no integrity: this machine could not fetch them to compute it.
import { readFileSync, writeFileSync } from "node:fs";

const file = new URL("../package-lock.json", import.meta.url);
const lock = JSON.parse(readFileSync(file, "utf8"));
const systems = [
  "android",
  "darwin",
  "freebsd",
  "linux",
  "netbsd",
  "openbsd",
  "openharmony",
  "sunos",
  "aix",
  "win32",
];
const processors = ["arm64", "arm", "x64", "ia32", "ppc64", "riscv64", "s390x", "loong64", "wasm32"];
const added = [];
for (const [where, parent] of Object.entries(lock.packages)) {
  if (!where) continue;
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const place = `node_modules/${name}`;
    if (lock.packages[place] || lock.packages[`${where}/${place}`] || !/^\d/.test(version)) continue;
    const words = name.split("/").at(-1).split("-");
    const entry = { version, optional: true };
    if (parent.dev) entry.dev = true;
    const os = systems.find((system) => words.includes(system));
    const cpu = processors.find((processor) => words.includes(processor));
    if (os) entry.os = [os];
    if (cpu) entry.cpu = [cpu];
    if (words.some((word) => word.startsWith("musl"))) entry.libc = ["musl"];
    else if (words.some((word) => word.startsWith("gnu"))) entry.libc = ["glibc"];
    // A package that no platform excludes would be installed here: better an honest failure of npm ci.
    if (!os && !cpu) continue;
    lock.packages[place] = entry;
    added.push(name);
  }
}
const [root, ...rest] = Object.entries(lock.packages);
lock.packages = Object.fromEntries([root, ...rest.sort(([a], [b]) => (a < b ? -1 : 1))]);
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(added.length ? `added ${added.join(", ")}` : "complete");
