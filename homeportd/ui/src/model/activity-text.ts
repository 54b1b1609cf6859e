/** Text for what happened. */

import type { ActivityEntry } from "../api/types";

/** "web listens on 3000", "port 3000 was shared with a password", "clone of shop failed". */
export function describeActivity({ kind, name, detail }: ActivityEntry): string {
  switch (kind) {
    case "started":
      return `${name} was started`;
    case "listening":
      return `${name} listens ${detail}`.trim();
    case "stopped":
      return `${name} stopped`;
    case "idle-stopped":
      return `${name} was stopped, since nobody used it`;
    case "failed":
      return `${name} failed${detail ? `: ${detail}` : ""}`;
    case "shared":
      return `${name} was shared ${detail}`.trim();
    case "unshared":
      return `${name} is private again`;
    case "paused":
      return `the share of ${name} was paused${detail ? `: ${detail}` : ""}`;
    case "done":
      return `${name} is done`;
    default:
      return `${name} was cancelled`;
  }
}

/** "from the dashboard", or nothing. */
export const actorText = ({ by }: ActivityEntry): string => (by === null ? "" : `from ${by}`);
