/** The ports and repos of the machine, and how an event changes them. */

import type { EventMessage, Port, Repo, Share } from "../api/types";

export interface PortsState {
  ports: ReadonlyMap<number, Port>;
  repos: readonly Repo[];
  /** Pattern of a port's own origin, with `{port}` once: for a port that is shared before it was ever listed. */
  origin: string;
}

export const NO_PORTS: PortsState = { ports: new Map(), repos: [], origin: "" };

export function portsStateOf(ports: readonly Port[], repos: readonly Repo[], origin: string): PortsState {
  return { ports: new Map(ports.map((port) => [port.port, port])), repos, origin };
}

/** The state after `event`; the same object when nothing that is shown has changed. Applying twice changes nothing. */
export function applyPortEvent(state: PortsState, event: EventMessage): PortsState {
  switch (event.type) {
    case "port.opened":
    case "port.changed":
      return withPort(state, event.data);
    case "port.closed": {
      const port = state.ports.get(event.data.port);
      return port === undefined ? state : withPort(state, stopped(port));
    }
    case "share.changed":
    case "share.paused":
    case "share.resumed": {
      const { port, share } = event.data;
      return withPort(state, { ...(state.ports.get(port) ?? unlistedPort(state, port)), share });
    }
    case "repos.changed":
      return { ...state, repos: event.data.repos };
    default:
      return state;
  }
}

/** Sets a port, or removes it when it neither listens nor is shared. */
function withPort(state: PortsState, port: Port): PortsState {
  const ports = new Map(state.ports);
  if (port.listening || port.share.mode !== "private") ports.set(port.port, port);
  else if (!ports.delete(port.port)) return state;
  return { ...state, ports };
}

// Title, repo and folder stay: a shared server that stopped is still "vite · frontend".
const stopped = (port: Port): Port => ({
  ...port,
  listening: false,
  addresses: [],
  pid: null,
  started_at: null,
  programs: [],
});

/** The share of a port that is not shared. */
export const privateShare = (port: number, url: string): Share => ({
  port,
  url,
  mode: "private",
  expires_at: null,
  expired: false,
  allow: [],
  max_uses: null,
  uses: 0,
  host_header: "localhost",
  subdomains: false,
  generation: 0,
  updated_at: null,
  bound_to: null,
  paused: null,
});

/** A port that is not in the list: it can be shared before anything listens there. */
export function unlistedPort(state: PortsState, port: number): Port {
  const url = state.origin.replace("{port}", String(port));
  return {
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
    url,
    first_seen: null,
    programs: [],
    share: privateShare(port, url),
    caution: null,
    outside: null,
  };
}
