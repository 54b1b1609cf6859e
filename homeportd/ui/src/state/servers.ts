/** The dev servers of this machine, kept up to date by the agent's events. */

import { signal } from "@preact/signals";
import type { EventMessage, Repo, Server } from "../api/types";
import { announce, notify } from "../browser/notices";
import { toSentence } from "../model/sentence";
import { applyServerEvent, describeServer, type Servers, serversById } from "../model/servers";
import { getRepoServers, restartServer, startServer, stopServer } from "../net/agent-api";
import { attempt } from "../net/attempt";
import type { Problem } from "../net/problem";
import { onEvent } from "./events";
import { showJob } from "./jobs";

const state = signal<Servers>(new Map());
/** By id. Changed by events, and by `setServers`. */
export const servers: { readonly value: Servers; peek: () => Servers } = state;

/** Replaces all by what was read, brought up to date by events that came meanwhile. */
export function setServers(read: readonly Server[], since: readonly EventMessage[]): void {
  state.value = since.reduce(applyServerEvent, serversById(read));
}

/** Has the agent look at a repo's files, and returns its compose files. Throws Problem. */
export async function readServers(repo: Repo["id"]): Promise<string[]> {
  const read = await getRepoServers(repo);
  const others = [...state.peek().values()].filter((server) => server.repo !== repo);
  state.value = serversById([...read.servers, ...others]);
  return read.compose_files;
}

const showServer = (server: Server): void => {
  state.value = new Map(state.peek()).set(server.id, server);
};

export const tellProblem = (problem: Problem): void => notify(`${toSentence(problem.title)} ${problem.fix}`);

/** Starts a server, after an installation of what it lacks where that is asked for. */
export async function start(server: Server, install = false, show = tellProblem): Promise<boolean> {
  const { repo, name } = server;
  if (repo === null) return false;
  return attempt(async () => {
    const started = await startServer(repo, { server: name, install });
    showServer(started.server);
    if (started.job) showJob(started.job);
  }, show);
}

export async function stop(server: Server): Promise<void> {
  const { repo, name } = server;
  if (repo === null) return;
  await attempt(async () => {
    for (const stopped of await stopServer(repo, name)) showServer(stopped);
  }, tellProblem);
}

export async function restart(server: Server): Promise<void> {
  const { repo, name } = server;
  if (repo === null) return;
  await attempt(async () => {
    for (const restarted of await restartServer(repo, name)) showServer(restarted);
  }, tellProblem);
}

onEvent((event) => {
  const before = state.peek();
  state.value = applyServerEvent(before, event);
  if (event.type !== "server" || before.get(event.data.id)?.state === event.data.state) return;
  announce(`Server ${event.data.name}: ${describeServer(event.data)}.`);
});
