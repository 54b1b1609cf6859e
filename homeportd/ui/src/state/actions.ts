/** What a person can do, from whichever button, menu, key or palette entry. */

import { asSentence } from "../model/sentence";
import type { Port } from "../model/types";
import { NO_SHARE } from "../model/world";
import { removeShare } from "../net/client";
import { attempt } from "./attempt";
import { notify } from "./notice";
import { receive } from "./store";

/** Opens the port in a tab of its own. */
export function openPort(port: Port): void {
  window.open(port.url, "_blank", "noopener");
}

export async function copyLink(port: Port): Promise<void> {
  notify((await copyText(port.url)) ? `Link to ${port.port} copied.` : `Copy this: ${port.url}`);
}

/** Makes a port private and says so. */
export async function unshare(port: Port): Promise<void> {
  await attempt(
    async () => {
      await removeShare(port.port);
      receive({ id: null, type: "share.changed", data: { port: port.port, share: NO_SHARE } });
      notify(`${port.port} is private again. Open visits were ended.`);
    },
    (problem) => notify(`${asSentence(problem.title)} ${problem.fix}`),
  );
}

/** Puts text on the clipboard; false when the browser does not let it. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** The Clipboard API wants a secure context, which plain http on a home network is not. */
function copyBySelection(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "sr-only";
  // Inside the open dialog, since everything outside it is inert.
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  const focused = document.activeElement;
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return done;
}
