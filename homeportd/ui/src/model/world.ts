/** What the agent has told so far, and how one event changes it. */

import type { AgentEvent, Port, Repo, Share } from "./types";

export interface World {
  ports: ReadonlyMap<number, Port>;
  repos: readonly Repo[];
  /** Pattern of a port's own origin: a share may come for a port that was never listed. */
  origin: string;
}

export const EMPTY_WORLD: World = { ports: new Map(), repos: [], origin: "" };

export function worldOf(ports: Port[], repos: Repo[], origin: string): World {
  return { ports: new Map(ports.map((port) => [port.port, port])), repos, origin };
}

/** The world after `event`; the same object when nothing that is shown has changed. Applying twice changes nothing. */
export function applyEvent(world: World, event: AgentEvent): World {
  switch (event.type) {
    case "port.opened":
    case "port.changed":
      return withPort(world, event.data);
    case "port.closed": {
      const port = world.ports.get(event.data.port);
      return port === undefined ? world : withPort(world, stopped(port));
    }
    case "share.changed": {
      const { port, share } = event.data;
      return withPort(world, {
        ...(world.ports.get(port) ?? unlisted(world, port)),
        share: share ?? NO_SHARE,
      });
    }
    case "repos.changed":
      return { ...world, repos: event.data.repos };
    default:
      return world;
  }
}

/** Sets a port, or takes it out when it neither listens nor is shared. */
function withPort(world: World, port: Port): World {
  const ports = new Map(world.ports);
  if (port.listening || port.share.mode !== "private") ports.set(port.port, port);
  else if (!ports.delete(port.port)) return world;
  return { ...world, ports };
}

// Title, repo and folder stay: a shared server that stopped is still "vite · frontend".
const stopped = (port: Port): Port => ({
  ...port,
  listening: false,
  addresses: [],
  pid: null,
  started_at: null,
});

export const NO_SHARE: Share = {
  mode: "private",
  expires_at: null,
  allow: [],
  max_uses: null,
  uses: 0,
  generation: 0,
  updated_at: null,
};

/** A port that was never listed: it can be shared before anything listens. */
export const unlisted = (world: World, port: number): Port => ({
  port,
  listening: false,
  addresses: [],
  pid: null,
  started_at: null,
  user: null,
  foreign: false,
  container: null,
  command: null,
  title: null,
  cwd: null,
  repo: null,
  subdir: null,
  url: world.origin.replace("{port}", String(port)),
  first_seen: null,
  share: NO_SHARE,
  caution: null,
  outside: null,
});
