/** What the page shows, kept up to date by the agent's events. */

import { batch, computed, signal } from "@preact/signals";
import { portName } from "../model/describe";
import { group } from "../model/grouping";
import type { Access, AgentEvent, Port, Session, Status, System } from "../model/types";
import { applyEvent, EMPTY_WORLD, worldOf } from "../model/world";
import { getPorts, getRepos, getSession, getStatus, Problem } from "../net/client";
import { EventSocket } from "../net/socket";
import { edgePart, loadEdge } from "./edge";
import { holding } from "./held";
import { announce } from "./notice";

export type Phase = "starting" | "login" | "failed" | "ready";

/** One point every `system` event; a few minutes of them. */
const HISTORY_POINTS = 60;
/** Shorter gaps heal before anyone needs to know. */
const GRACE_MS = 1_500;
const CLOCK_MS = 15_000;

export const phase = signal<Phase>("starting");
export const failure = signal<Problem | null>(null);
export const session = signal<Session | null>(null);
export const world = signal(EMPTY_WORLD);
export const status = signal<Status | null>(null);
export const system = signal<System | null>(null);
/** CPU in percent, oldest first. */
export const cpuHistory = signal<readonly number[]>([]);
export const filter = signal("");
const rows = holding<number, Port>("port ");
export const grouped = computed(() => {
  const ports = new Map([...rows.held.value, ...world.value.ports]);
  return group({ ...world.value, ports }, filter.value);
});
/** Null while connected, else when the line broke and when the next attempt comes. */
export const lost = signal<{ since: number; retryAt: number } | null>(null);
/** For words that depend on the time of day. */
export const now = signal(new Date());

window.setInterval(() => {
  now.value = new Date();
}, CLOCK_MS);

const accessListeners = new Set<(access: Access & { port: number }) => void>();

/** Hears of each visit until the returned function is called. */
export function onAccess(listener: (access: Access & { port: number }) => void): () => void {
  accessListeners.add(listener);
  return () => accessListeners.delete(listener);
}

const listeners = new Set<(event: AgentEvent) => void>();

/** Hears of each event, after the page itself. */
export function onEvent(listener: (event: AgentEvent) => void): void {
  listeners.add(listener);
}

/** Grows with each start and failure: what was asked for before says nothing of the page after it. */
let era = 0;
let downSince: number | null = null;
let graceTimer = 0;
let loading = 0;
/** Events that came while the lists were being fetched: they may be newer than the answer. */
let pending: AgentEvent[] = [];

const socket = new EventSocket({
  event: (event) => {
    if (loading > 0) pending.push(event);
    receive(event);
  },
  live: (resumed) => {
    window.clearTimeout(graceTimer);
    if (lost.peek() !== null) announce("Connected again.");
    downSince = null;
    lost.value = null;
    if (!resumed) void load();
  },
  lost: (retryAt) => {
    downSince ??= Date.now();
    const since = downSince;
    const show = () => {
      if (lost.peek() === null) announce("Connection lost. Homeport keeps trying.");
      lost.value = { since, retryAt };
    };
    window.clearTimeout(graceTimer);
    graceTimer = window.setTimeout(show, Math.max(0, since + GRACE_MS - Date.now()));
    void checkSession();
  },
});

export const retryNow = socket.retryNow;

/** Starts the page: who am I, then everything. */
export async function start(): Promise<void> {
  era += 1;
  phase.value = "starting";
  try {
    session.value = await getSession();
    await load();
    if (phase.peek() !== "login") socket.start();
  } catch (error) {
    fail(error);
  }
}

async function load(): Promise<void> {
  loading += 1;
  const mine = era;
  try {
    const newStatus = await getStatus();
    // An edge alone has neither.
    const [ports, repos] = newStatus.origin === null ? [[], []] : await Promise.all([getPorts(), getRepos()]);
    if (mine !== era) return;
    // Beside the rest: its pages say that they are on their way, or what went wrong.
    const edge = newStatus.edge === null ? Promise.resolve(true) : loadEdgePages();
    batch(() => {
      status.value = newStatus;
      receiveSystem(newStatus.system);
      world.value = pending.reduce(applyEvent, worldOf(ports, repos, newStatus.origin ?? ""));
      phase.value = "ready";
      failure.value = null;
    });
    void edge.then((read) => (read ? socket.settle() : socket.startOver()));
  } catch (error) {
    if (mine !== era) return;
    // Once there is something to read, a failed refresh does not take it away: the line says that it is old.
    if (phase.peek() !== "ready" || (error instanceof Problem && error.status === 401)) fail(error);
    else socket.startOver();
  } finally {
    loading -= 1;
    if (loading === 0) pending = [];
  }
}

/** Why the pages of an edge are not there, or null. */
export const edgeFailure = signal<Problem | null>(null);

/** False when what its pages show may be old. */
export async function loadEdgePages(): Promise<boolean> {
  edgeFailure.value = null;
  try {
    await loadEdge();
  } catch (error) {
    if (error instanceof Problem && error.status === 401) fail(error);
    else if (error instanceof Problem && edgePart.peek() !== null) return false;
    else edgeFailure.value = error instanceof Problem ? error : notLoaded(error);
  }
  return true;
}

const notLoaded = (error: unknown) =>
  new Problem(
    0,
    "This page could not be loaded",
    "A part of the dashboard did not come, perhaps since a new release was installed meanwhile.",
    "Reload the page.",
    String(error),
  );

/** The socket cannot tell "logged out" from "agent down"; the session endpoint can. */
async function checkSession(): Promise<void> {
  try {
    await getSession();
  } catch (error) {
    if (error instanceof Problem && error.status === 401) fail(error);
  }
}

/** Shows the login page for 401, and what happened for the rest. */
export function fail(error: unknown): void {
  if (!(error instanceof Problem)) throw error;
  era += 1;
  socket.stop();
  window.clearTimeout(graceTimer);
  batch(() => {
    lost.value = null;
    downSince = null;
    failure.value = error;
    phase.value = error.status === 401 ? "login" : "failed";
  });
}

/** Takes in an event that came over the socket, or one that the page knows to be true already. */
export function receive(event: AgentEvent): void {
  if (event.type === "system") {
    receiveSystem(event.data);
    return;
  }
  if (event.type === "access") {
    for (const listener of accessListeners) listener(event.data);
    return;
  }
  if (event.type === "port.opened") announce(`Port ${event.data.port} is running: ${portName(event.data)}.`);
  const before = world.peek();
  const after = applyEvent(before, event);
  if (event.type === "port.closed") {
    announce(`Port ${event.data.port} stopped.`);
    const port = before.ports.get(event.data.port);
    if (port !== undefined && !after.ports.has(port.port))
      rows.hold(port.port, { ...port, listening: false });
  } else if (event.type === "port.opened") rows.takeBack(event.data.port);
  world.value = after;
  for (const listener of listeners) listener(event);
}

function receiveSystem(data: System): void {
  batch(() => {
    system.value = data;
    cpuHistory.value = [...cpuHistory.peek(), data.cpu_percent].slice(-HISTORY_POINTS);
  });
}
