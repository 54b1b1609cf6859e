/** Ports under their repos, in an order that does not move while it is read. */

import { MODE_WORDS, modeNow, portName } from "./describe";
import type { Port, Repo } from "./types";
import type { World } from "./world";

export interface Block {
  repo: Repo;
  ports: Port[];
}

export interface Grouped {
  /** Repos with at least one port, by name. */
  active: Block[];
  /** Repos with nothing running, by name. */
  idle: Repo[];
  /** Ports that belong to no repo that is known. */
  others: Port[];
  /** How many ports the filter let through. */
  count: number;
}

export function group(world: World, filter = ""): Grouped {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const repos = [...world.repos].sort((a, b) => a.name.localeCompare(b.name) || a.path.localeCompare(b.path));
  const byId = new Map(repos.map((repo) => [repo.id, repo]));
  const byRepo = new Map<string, Port[]>();
  const others: Port[] = [];
  let count = 0;
  for (const port of [...world.ports.values()].sort((a, b) => a.port - b.port)) {
    const repo = port.repo === null ? undefined : byId.get(port.repo);
    if (!matches(words, port, repo)) continue;
    count += 1;
    if (repo === undefined) others.push(port);
    else byRepo.set(repo.id, [...(byRepo.get(repo.id) ?? []), port]);
  }
  const active = repos.flatMap((repo) => {
    const ports = byRepo.get(repo.id);
    return ports === undefined ? [] : [{ repo, ports }];
  });
  const busy = new Set([...world.ports.values()].map((port) => port.repo));
  const idle = repos.filter((repo) => !busy.has(repo.id) && matchesRepo(words, repo));
  return { active, idle, others, count };
}

/** Every word must be somewhere in what the row shows. */
function matches(words: string[], port: Port, repo: Repo | undefined): boolean {
  if (words.length === 0) return true;
  const text = [
    port.port,
    portName(port),
    port.command,
    MODE_WORDS[modeNow(port)],
    port.listening ? "running" : "",
    repo?.name,
    repo?.branch,
    repo?.path,
  ]
    .join(" ")
    .toLowerCase();
  return words.every((word) => text.includes(word));
}

function matchesRepo(words: string[], repo: Repo): boolean {
  const text = `${repo.name} ${repo.branch ?? ""} ${repo.path}`.toLowerCase();
  return words.every((word) => text.includes(word));
}
