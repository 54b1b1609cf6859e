/** Text for ports and their shares. */

import type { Port, Program, ShareMode } from "../api/types";

/** Text for a port without a title. A port that nobody listens on is listed for its share. */
function describeUnnamed(port: Port): string {
  if (!port.listening) return "shared port";
  return port.user ? `a program of ${port.user}` : "owner not visible";
}

/** "root's", "games'". */
export const possessive = (user: string): string => (user.endsWith("s") ? `${user}'` : `${user}'s`);

/** The user who runs the server, unless that is the agent's own. Container engines of the system run as root for all. */
function describeOwner(port: Port): string {
  const user = port.foreign && port.user && port.title ? possessive(port.user) : "";
  if (!port.container) return user;
  return port.user === "root" ? "container" : `${user} container`.trim();
}

const OUTSIDE = { own: "Homeport's own port", ranges: "outside the port ranges" };

/** The server of a port, its folder, owner and state: "vite · frontend", "vite · root's · not running". */
export function describePort(port: Port): string {
  const state = port.outside ? OUTSIDE[port.outside] : port.listening ? "" : "not running";
  return [port.title ?? describeUnnamed(port), port.subdir, describeOwner(port), state]
    .filter(Boolean)
    .join(" · ");
}

/** A program that shares the port's number and is not what its address leads to: "python · games' · on ::1". */
export function describeOther(program: Program): string {
  const user = program.foreign && program.user ? possessive(program.user) : "";
  const name = program.title ?? (program.user ? "a program" : "owner not visible");
  return [name, program.subdir, user, `on ${program.addresses.join(", ")}`].filter(Boolean).join(" · ");
}

/** The programs on the port's number that its address does not lead to. */
export const otherPrograms = (port: Port): Program[] => port.programs.filter((each) => !each.dialled);

/** What the port was shared for: "shop", "servers of games". */
export function describeBinding(port: Port): string {
  const { repo, user } = port.share.bound_to ?? { repo: null, user: null };
  return repo?.split("/").pop() ?? (user ? `servers of ${user}` : "another server");
}

/** Whether the share stands, and lets in nobody but the owner, since something else listens there. */
export const isPaused = (port: Port): boolean => isShared(port) && port.share.paused !== null;

/** What to know before the port is shared; empty when there is nothing. */
export function cautionText(port: Port): string {
  if (port.outside) {
    return `Homeport does not look at port ${port.port} (${OUTSIDE[port.outside]}), so its address leads nowhere.`;
  }
  return port.caution?.text ?? "";
}

export const MODE_LABELS: Record<ShareMode, string> = {
  private: "Private",
  password: "Password",
  public: "Public",
};

/** Whether the share has expired; the agent treats the port as private from then on. */
export function hasExpired(port: Port, now = new Date()): boolean {
  const { mode, expires_at } = port.share;
  return mode !== "private" && expires_at !== null && new Date(expires_at).getTime() <= now.getTime();
}

/** Whether anyone but the owner may see the port now. */
export const isShared = (port: Port): boolean => port.share.mode !== "private" && !hasExpired(port);

/** The share's mode, or private when the share has expired. */
export const effectiveMode = (port: Port): ShareMode => (isShared(port) ? port.share.mode : "private");
