/** Dev servers: how an event changes the list, their order and their text. */

import type { EventMessage, Server, ServerState } from "../api/types";
import { toSentence } from "./sentence";

const LABELS: Record<ServerState, string> = {
  stopped: "Stopped",
  starting: "Starting",
  listening: "Listening",
  stopping: "Stopping",
  failed: "Failed",
  "idle-stopped": "Stopped while idle",
};

export type Servers = ReadonlyMap<Server["id"], Server>;

export const serversById = (servers: readonly Server[]): Servers =>
  new Map(servers.map((server) => [server.id, server]));

/** The servers after `event`; the same object when nothing has changed. */
export function applyServerEvent(servers: Servers, event: EventMessage): Servers {
  if (event.type === "repos.changed") {
    const known = new Set(event.data.repos.map((repo) => repo.id));
    const left = [...servers.values()].filter(({ repo }) => repo !== null && known.has(repo));
    return left.length === servers.size ? servers : serversById(left);
  }
  if (event.type !== "server") return servers;
  return new Map(servers).set(event.data.id, event.data);
}

/** The servers of a repo as they were described, those that were started by hand last. */
export const serversOf = (servers: Servers, repo: string): Server[] =>
  [...servers.values()]
    .filter((server) => server.repo === repo)
    .sort((a, b) => Number(a.by_hand) - Number(b.by_hand));

/** Whether there is a process. */
export const isAlive = ({ state }: Server): boolean =>
  state === "starting" || state === "listening" || state === "stopping";

/** "Listening on 5173", "Failed · exit code 1", "Stopped while idle · a visit starts it". */
export function describeServer(server: Server): string {
  const { state, ports, port } = server;
  const label = LABELS[state];
  if (state === "listening") return `${label} on ${ports.length > 0 ? ports.join(", ") : port}`;
  if (state === "failed") return [label, endText(server)].filter(Boolean).join(" · ");
  if (state === "idle-stopped") return `${label} · a visit starts it`;
  return label;
}

/** "exit code 1", "signal 9", or what the agent says of an end that has neither. */
export function endText({ exit_code, signal, detail }: Server): string {
  if (signal !== null) return `signal ${signal}`;
  if (exit_code !== null) return `exit code ${exit_code}`;
  return detail === null ? "" : toSentence(detail);
}

/** "auto start · restart after a crash · never stopped while idle", or nothing. */
export function policyText({ auto_start, restart, idle_stop_s }: Server): string {
  return [
    auto_start ? "starts with the machine" : "",
    restart ? "restarts after a crash" : "",
    idle_stop_s === null
      ? ""
      : idle_stop_s === 0
        ? "never stopped while idle"
        : `stopped after ${durationText(idle_stop_s)} unused`,
  ]
    .filter(Boolean)
    .join(" · ");
}

/** "45 s", "30 min", "2 h". */
export function durationText(seconds: number): string {
  if (seconds % 3600 === 0) return `${seconds / 3600} h`;
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
}

/** The server that a port belongs to. */
export const serverOfPort = (servers: Servers, port: number): Server | undefined =>
  [...servers.values()].find((server) => isAlive(server) && server.ports.includes(port));
