// The layers of the dashboard, lowest first, as whitelists; each folder may also import itself:
//   api         the types of the agent's API
//   model       what is shown, as pure functions and text
//   net         requests and the event stream
//   browser     clipboard, and notices for the person
//   components  parts of pages that know nothing of the agent's state
//   state       signals that the agent's events keep up to date
//   the others  pages and sheets
const folder = (...names) => `^src/(${names.join("|")})/`;
const SIGNALS = "^node_modules/@preact/signals(-core)?/";
const PREACT = "^node_modules/preact/";

/** Forbids `layer` to import anything but itself and what `allowed` matches. */
const layer = (name, ...allowed) => ({
  name: `layer-${name}`,
  severity: "error",
  from: { path: folder(name) },
  to: { pathNot: [folder(name), ...allowed] },
});

/** @type {import("dependency-cruiser").IConfiguration} */
export default {
  forbidden: [
    { name: "no-import-circle", severity: "error", from: {}, to: { circular: true } },
    { name: "no-unknown-import", severity: "error", from: {}, to: { couldNotResolve: true } },
    layer("api"),
    layer("model", folder("api")),
    layer("net", folder("api", "model")),
    layer("browser", SIGNALS),
    layer("components", folder("api", "model", "net", "browser"), SIGNALS, PREACT),
    layer("state", folder("api", "model", "net", "browser"), SIGNALS, PREACT),
    {
      name: "edge-is-loaded-lazily",
      comment:
        "The pages of an edge are a part of the script of their own, which main.tsx imports by import().",
      severity: "error",
      from: { pathNot: folder("edge") },
      to: { path: folder("edge"), dynamic: false },
    },
    {
      name: "terminal-is-loaded-lazily",
      comment: "xterm.js is larger than all else; it comes when a terminal is opened.",
      severity: "error",
      from: { pathNot: folder("terminal") },
      to: { path: [folder("terminal"), "^node_modules/@xterm/"], dynamic: false },
    },
    {
      name: "edge-is-imported-once",
      severity: "error",
      from: { pathNot: [folder("edge"), "^src/main[.]tsx$"] },
      to: { path: folder("edge") },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsConfig: { fileName: "tsconfig.json" },
    // Imports of types count as well.
    tsPreCompilationDeps: true,
  },
};
