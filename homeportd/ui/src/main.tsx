import { render } from "preact";
import { App } from "./page/app";
import { listenToKeys } from "./state/keyboard";
import { start } from "./state/store";

const root = document.getElementById("app");
if (root !== null) render(<App />, root);
listenToKeys();
void start();
