/** Calls to the agent's API, each with a time limit, and its errors in one shape. */

import { asSentence } from "../model/sentence";
import type { Access, Port, Repo, Session, Share, ShareRequest, Status, Token } from "../model/types";

const TIMEOUT_MS = 15_000;

/** An error for a person: what happened, what to do, and the technical cause for those who want it. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly fix: string,
    readonly cause: string,
  ) {
    super(title);
  }
}

export async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const request = `${method} ${path}`;
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
    });
  } catch (error) {
    throw new Problem(
      0,
      "Homeport did not answer",
      "The machine is off, asleep or out of reach. Nothing was changed.",
      "Try again. On the machine itself, `homeport doctor` says which part is down.",
      `${request}: ${error}`,
    );
  }
  if (!response.ok) throw await problemOf(response, request);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

async function problemOf(response: Response, request: string): Promise<Problem> {
  const text = await response.text();
  const cause = `${request}: ${response.status} ${response.statusText}\n${text.slice(0, 2000)}`;
  try {
    const { detail, fix } = JSON.parse(text) as Record<string, unknown>;
    const words = (value: unknown) => (typeof value === "string" ? asSentence(value) : "");
    // The title is HTTP's word for the status, which says nothing to a person; it is in the cause.
    return new Problem(response.status, words(detail) || "That did not work.", "", words(fix), cause);
  } catch {
    // Not from the agent: the proxy in front answers for an agent that is down.
    return new Problem(
      response.status,
      "Homeport is not answering properly",
      "The front door answers but the agent behind it does not. Shared ports are closed meanwhile.",
      "Wait a moment and try again. On the machine, `homeport doctor` says what is wrong.",
      cause,
    );
  }
}

export const getStatus = () => call<Status>("GET", "/api/status");
export const getPorts = () => call<Port[]>("GET", "/api/ports");
export const getRepos = () => call<Repo[]>("GET", "/api/repos");
export const getSession = () => call<Session>("GET", "/api/session");
export const logIn = (password: string) => call<void>("POST", "/api/session", { password });
export const logOut = () => call<void>("DELETE", "/api/session");
export const setPassword = (password: string) => call<void>("PUT", "/api/password", { password });
export const setShare = (port: number, request: ShareRequest) =>
  call<Share>("POST", `/api/ports/${port}/share`, request);
export const getTokens = () => call<Token[]>("GET", "/api/tokens");
export const createToken = (name: string, scope: Token["scope"]) =>
  call<Token & { token: string }>("POST", "/api/tokens", { name, scope });
/** A successor; the old one holds for `grace_s` seconds more. */
export const rotateToken = (id: Token["id"], grace_s: number) =>
  call<Token & { token: string }>("POST", `/api/tokens/${encodeURIComponent(String(id))}/rotate`, {
    grace_s,
  });
export const revokeToken = (id: Token["id"]) =>
  call<void>("DELETE", `/api/tokens/${encodeURIComponent(String(id))}`);

/** Makes a port private again. One that already is counts as done. */
export async function removeShare(port: number): Promise<void> {
  try {
    await call<void>("DELETE", `/api/ports/${port}/share`);
  } catch (error) {
    if (!(error instanceof Problem && error.status === 404)) throw error;
  }
}

/** One page of the access log, newest first, older than entry `before` when that is given. */
export function getLog(port: number, limit: number, before?: number): Promise<Access[]> {
  const older = before === undefined ? "" : `&before=${before}`;
  return call<Access[]>("GET", `/api/ports/${port}/logs?limit=${limit}${older}`);
}
