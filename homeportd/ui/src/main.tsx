import { render } from "preact";
import { App } from "./app";
import { start } from "./state/agent";
import { setEdgePagesImport } from "./state/edge-pages";
import { listenToKeys } from "./state/keyboard";

// The one import of the edge's pages: lazy, so that other machines do not load them.
setEdgePagesImport(async () => (await import("./edge/edge-pages")).edgePages);

const root = document.getElementById("app");
if (root !== null) render(<App />, root);
listenToKeys();
void start();
