/** Words for ports, sizes and decisions. */

import type { Mode, Port } from "./types";

/** What a port is called of which nothing more can be known; one that nobody listens on is here for its share. */
function unnamed(port: Port): string {
  if (!port.listening) return "shared port";
  return port.user ? `a program of ${port.user}` : "owner not visible";
}

/** "root's", "games'". */
export const possessive = (user: string): string => (user.endsWith("s") ? `${user}'` : `${user}'s`);

/** Whose it is, where that is not the agent's user. The system's engine of containers runs as root for everyone. */
function whose(port: Port): string {
  const user = port.foreign && port.user && port.title ? possessive(port.user) : "";
  if (!port.container) return user;
  return port.user === "root" ? "container" : `${user} container`.trim();
}

const OUTSIDE = { own: "Homeport's own port", ranges: "outside the port ranges" };

/** What runs, in which folder, whose, and whether it does: "vite · frontend", "vite · root's · not running". */
export function portName(port: Port): string {
  const state = port.outside ? OUTSIDE[port.outside] : port.listening ? "" : "not running";
  return [port.title ?? unnamed(port), port.subdir, whose(port), state].filter(Boolean).join(" · ");
}

/** What to know before the port is shared; empty when there is nothing. */
export function cautionWords(port: Port): string {
  if (port.outside) {
    return `Homeport does not look at port ${port.port} (${OUTSIDE[port.outside]}), so its address leads nowhere.`;
  }
  return port.caution?.text ?? "";
}

export const MODE_WORDS: Record<Mode, string> = {
  private: "Private",
  password: "Password",
  public: "Public",
};

/** Whether the time of a share is over; the agent treats the port as private from then on. */
export function hasEnded(port: Port, now = new Date()): boolean {
  const { mode, expires_at } = port.share;
  return mode !== "private" && expires_at !== null && new Date(expires_at).getTime() <= now.getTime();
}

/** Whether anyone else may see the port now. */
export const isShared = (port: Port): boolean => port.share.mode !== "private" && !hasEnded(port);

/** The mode that counts now. */
export const modeNow = (port: Port): Mode => (isShared(port) ? port.share.mode : "private");

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** Bytes with two figures: "3.1 GB", "220 GB". Powers of 1024, as memory is sold. */
export function sizeWords(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1023.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value < 9.95 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}

/** "3.1 of 16 GB": the unit once, when both have the same. */
export function shareOfSize(used: number, total: number): string {
  const [usedWords, totalWords] = [sizeWords(used), sizeWords(total)];
  const [number = "", unit = ""] = usedWords.split(" ");
  return totalWords.endsWith(` ${unit}`) ? `${number} of ${totalWords}` : `${usedWords} of ${totalWords}`;
}

const DECISIONS: Record<string, string> = {
  owner: "Let in: you",
  token: "Let in: API token",
  password: "Let in: had the password",
  login: "Let in: gave the password",
  basic: "Let in: password by HTTP Basic",
  public: "Let in: public",
  "denied:login": "Turned away: not logged in",
  "denied:password": "Turned away: wrong password",
  "denied:network": "Turned away: network not allowed",
  "denied:expired": "Turned away: share had ended",
  "denied:limit": "Turned away: too many attempts",
  "denied:uses": "Turned away: no uses left",
};

export const wasLetIn = (decision: string): boolean => !decision.startsWith("denied");

/** A decision of the access log in words. One that is newer than this page is shown as it came. */
export function decisionWords(decision: string): string {
  return (
    DECISIONS[decision] ??
    `${wasLetIn(decision) ? "Let in" : "Turned away"}: ${decision.replace(/^denied:/, "")}`
  );
}

const AGENTS: [RegExp, string][] = [
  [/curl\/[\d.]+/, "curl"],
  [/Wget/i, "wget"],
  [/python|httpx|aiohttp/i, "Python"],
  [/Edg\//, "Edge"],
  [/Firefox\/|FxiOS/, "Firefox"],
  [/Chrome\/|CriOS/, "Chrome"],
  [/Safari\//, "Safari"],
];
const SYSTEMS: [RegExp, string][] = [
  [/iPhone/, "iPhone"],
  [/iPad/, "iPad"],
  [/Android/, "Android"],
  [/Windows/, "Windows"],
  [/Mac OS X/, "Mac"],
  [/Linux|X11/, "Linux"],
];

/** "Safari on iPhone" from a User-Agent header; the start of the header when it is none that is known. */
export function agentWords(userAgent: string | null): string {
  if (!userAgent) return "";
  const find = (table: [RegExp, string][]) => table.find(([pattern]) => pattern.test(userAgent))?.[1];
  const [agent, system] = [find(AGENTS), find(SYSTEMS)];
  if (agent && system) return `${agent} on ${system}`;
  return agent ?? userAgent.slice(0, 40);
}
