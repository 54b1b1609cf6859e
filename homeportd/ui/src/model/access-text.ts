/** Text for rows of a port's access log. */

import type { AccessDecision } from "../api/types";

const DECISIONS: Record<AccessDecision, string> = {
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
  "denied:origin": "Turned away: asked by a page of another origin",
  "denied:paused": "Turned away: share was paused",
};

export const wasAllowed = (decision: string): boolean => !decision.startsWith("denied");

/** A decision as text; a decision that is newer than this page is shown as it is sent. */
export function describeDecision(decision: AccessDecision): string {
  return (
    DECISIONS[decision] ??
    `${wasAllowed(decision) ? "Let in" : "Turned away"}: ${String(decision).replace(/^denied:/, "")}`
  );
}

const BROWSERS: [RegExp, string][] = [
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
const MAX_UNKNOWN_LENGTH = 40;

/** "Safari on iPhone" from a User-Agent header; the start of the header where neither is known. */
export function describeUserAgent(userAgent: string): string {
  const find = (table: [RegExp, string][]) => table.find(([pattern]) => pattern.test(userAgent))?.[1];
  const [browser, system] = [find(BROWSERS), find(SYSTEMS)];
  if (browser && system) return `${browser} on ${system}`;
  return browser ?? userAgent.slice(0, MAX_UNKNOWN_LENGTH);
}
