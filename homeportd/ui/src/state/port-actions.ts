/** Actions on a port, for buttons, menus, keys and the palette alike. */

import type { Port } from "../api/types";
import { copyText } from "../browser/clipboard";
import { notify } from "../browser/notices";
import { privateShare } from "../model/ports";
import { toSentence } from "../model/sentence";
import { removeShare, resumeShare } from "../net/agent-api";
import { attempt } from "../net/attempt";
import { dispatch } from "./events";

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
      dispatch({
        id: null,
        type: "share.changed",
        data: { port: port.port, share: privateShare(port.port, port.url) },
      });
      notify(`${port.port} is private again. Open visits were ended.`);
    },
    (problem) => notify(`${toSentence(problem.title)} ${problem.fix}`),
  );
}

/** Lets a paused share go on with what listens on the port now, and says so. */
export async function resume(port: Port): Promise<void> {
  await attempt(
    async () => {
      const share = await resumeShare(port.port);
      dispatch({ id: null, type: "share.changed", data: { port: port.port, share } });
      notify(`The share of ${port.port} goes on, with what listens there now.`);
    },
    (problem) => notify(`${toSentence(problem.title)} ${problem.fix}`),
  );
}
