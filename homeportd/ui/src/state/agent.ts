/** The dashboard's relation to the agent: start, login, the connection, and reading all anew after it was lost. */

import { batch, signal } from "@preact/signals";
import type { Caller, EventMessage } from "../api/types";
import { announce } from "../browser/notices";
import { portsStateOf } from "../model/ports";
import { getCaller, getJobs, getPorts, getRepos, getServers, getStatus } from "../net/agent-api";
import { onUnauthorized } from "../net/attempt";
import { EventSocket } from "../net/event-socket";
import { Problem } from "../net/problem";
import { loadEdgePages } from "./edge-pages";
import { dispatch } from "./events";
import { setJobs } from "./jobs";
import { setStatus } from "./machine";
import { setPorts } from "./port-state";
import { setServers } from "./servers";

export type Phase = "starting" | "login" | "failed" | "ready";

/** Shorter gaps heal before anyone needs to know. */
const GRACE_MS = 1_500;

export const phase = signal<Phase>("starting");
export const failure = signal<Problem | null>(null);
export const caller = signal<Caller | null>(null);
/** Null while connected, else when the connection was lost and when the next attempt comes (ms since the epoch). */
export const disconnection = signal<{ since: number; retryAt: number } | null>(null);

/** Number of starts and failures: an answer to a request of an earlier one is dropped. */
let epoch = 0;
let lostAt: number | null = null;
let graceTimer = 0;
let loading = 0;
/** Events that came while the lists were being read: they may be newer than the answer. */
let pending: EventMessage[] = [];

const socket = new EventSocket({
  event: (event) => {
    if (loading > 0) pending.push(event);
    dispatch(event);
  },
  connected: (resumed) => {
    window.clearTimeout(graceTimer);
    if (disconnection.peek() !== null) announce("Connected again.");
    lostAt = null;
    disconnection.value = null;
    if (!resumed) void load();
  },
  lost: (retryAt) => {
    lostAt ??= Date.now();
    const since = lostAt;
    const show = () => {
      if (disconnection.peek() === null) announce("Connection lost. Homeport keeps trying.");
      disconnection.value = { since, retryAt };
    };
    window.clearTimeout(graceTimer);
    graceTimer = window.setTimeout(show, Math.max(0, since + GRACE_MS - Date.now()));
    void checkLogin();
  },
});

export const retryNow = socket.retryNow;

/** Asks the agent for the caller, then for everything. */
export async function start(): Promise<void> {
  epoch += 1;
  phase.value = "starting";
  try {
    caller.value = await getCaller();
    await load();
    if (phase.peek() !== "login") socket.start();
  } catch (error) {
    fail(error);
  }
}

async function load(): Promise<void> {
  loading += 1;
  const begunIn = epoch;
  try {
    const status = await getStatus();
    // An edge alone has none of these.
    const [ports, repos, jobs, servers] =
      status.origin === null
        ? [[], [], [], []]
        : await Promise.all([getPorts(), getRepos(), getJobs(), getServers()]);
    if (begunIn !== epoch) return;
    // Not awaited: its pages say by themselves that they are being loaded, or what went wrong.
    const edge = status.edge === null ? Promise.resolve(true) : loadEdgePages();
    batch(() => {
      setStatus(status);
      setPorts(portsStateOf(ports, repos, status.origin ?? ""), pending);
      setJobs(jobs, pending);
      setServers(servers, pending);
      phase.value = "ready";
      failure.value = null;
    });
    void edge.then((read) => (read ? socket.settle() : socket.startOver()));
  } catch (error) {
    if (begunIn !== epoch) return;
    // Once there is something to read, a failed refresh does not take it away: the page says that it is old.
    if (phase.peek() !== "ready" || (error instanceof Problem && error.status === 401)) fail(error);
    else socket.startOver();
  } finally {
    loading -= 1;
    if (loading === 0) pending = [];
  }
}

/** The socket cannot tell "logged out" from "agent down"; a request can. */
async function checkLogin(): Promise<void> {
  try {
    await getCaller();
  } catch (error) {
    if (error instanceof Problem && error.status === 401) fail(error);
  }
}

/** Shows the login page for status 401, and any other problem instead of the page. Throws what is no Problem. */
function fail(error: unknown): void {
  if (!(error instanceof Problem)) throw error;
  epoch += 1;
  socket.stop();
  window.clearTimeout(graceTimer);
  batch(() => {
    disconnection.value = null;
    lostAt = null;
    failure.value = error;
    phase.value = error.status === 401 ? "login" : "failed";
  });
}

onUnauthorized(fail);
