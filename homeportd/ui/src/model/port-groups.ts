/** Ports grouped by repo, in an order that does not change while it is read. */

import type { Port, Repo } from "../api/types";
import { describePort, effectiveMode, MODE_LABELS } from "./port-text";
import type { PortsState } from "./ports";
import { matchesFilter } from "./text-filter";

export interface RepoGroup {
  repo: Repo;
  ports: Port[];
}

export interface PortGroups {
  /** Repos with at least one port, by name. */
  active: RepoGroup[];
  /** Repos with nothing running, by name. */
  idle: Repo[];
  /** Ports that belong to no repo that is known. */
  others: Port[];
  /** Number of ports that match the filter. */
  count: number;
}

export function groupPorts(state: PortsState, filter = ""): PortGroups {
  const repos = [...state.repos].sort((a, b) => a.name.localeCompare(b.name) || a.path.localeCompare(b.path));
  const byId = new Map(repos.map((repo) => [repo.id, repo]));
  const byRepo = new Map<string, Port[]>();
  const others: Port[] = [];
  let count = 0;
  for (const port of [...state.ports.values()].sort((a, b) => a.port - b.port)) {
    const repo = port.repo === null ? undefined : byId.get(port.repo);
    if (!matchesFilter(filter, portSearchText(port, repo))) continue;
    count += 1;
    if (repo === undefined) others.push(port);
    else byRepo.set(repo.id, [...(byRepo.get(repo.id) ?? []), port]);
  }
  const active = repos.flatMap((repo) => {
    const ports = byRepo.get(repo.id);
    return ports === undefined ? [] : [{ repo, ports }];
  });
  const busy = new Set([...state.ports.values()].map((port) => port.repo));
  const idle = repos.filter((repo) => !busy.has(repo.id) && matchesFilter(filter, repoSearchText(repo)));
  return { active, idle, others, count };
}

/** All that the row of a port shows. */
const portSearchText = (port: Port, repo: Repo | undefined): string =>
  [
    port.port,
    describePort(port),
    port.command,
    MODE_LABELS[effectiveMode(port)],
    port.listening ? "running" : "",
    repo?.name,
    repo?.branch,
    repo?.path,
  ].join(" ");

const repoSearchText = (repo: Repo): string => `${repo.name} ${repo.branch ?? ""} ${repo.path}`;
