/** The shapes of the agent's API, as `/api/openapi.json` describes them. Times are ISO 8601, UTC. */

export type Mode = "private" | "password" | "public";

/** Who may open a port. Mode `private` means that nothing is shared. */
export interface Share {
  mode: Mode;
  expires_at: string | null;
  /** Networks in CIDR notation; empty means any. */
  allow: string[];
  max_uses: number | null;
  uses: number;
  generation: number;
  updated_at: string | null;
}

export interface Port {
  port: number;
  listening: boolean;
  addresses: string[];
  pid: number | null;
  started_at: string | null;
  /** Null when the process belongs to someone whose processes the agent may not look into. */
  user: string | null;
  command: string | null;
  title: string | null;
  cwd: string | null;
  /** Id of the repo that the process runs in. */
  repo: string | null;
  /** Folder below the repo's root, "" for the root itself. */
  subdir: string | null;
  url: string;
  first_seen: string | null;
  share: Share;
}

export interface Repo {
  id: string;
  name: string;
  path: string;
  branch: string | null;
  dirty: boolean | null;
  remote: string | null;
  ports: number[];
}

/** Sizes are in bytes, `cpu_percent` is 0..100 over all cores. */
export interface System {
  cpu_percent: number;
  cpu_count: number;
  memory: { used: number; total: number };
  disk: { used: number; total: number };
}

export interface Status {
  version: string;
  hostname: string;
  user: string;
  started_at: string;
  uptime_s: number;
  dashboard_url: string;
  /** Pattern of a port's own origin, with `{port}` once. */
  origin: string;
  system: System;
  counts: { ports: number; shared: number; repos: number };
}

export interface Access {
  id: number;
  time: string;
  address: string;
  user_agent: string | null;
  method: string;
  path: string;
  decision: string;
}

export interface Token {
  id: number | string;
  name: string;
  created_at: string;
  last_used_at: string | null;
  prefix: string;
  /** `tunnel`: good for tunnels alone, not for this API. */
  scope: "owner" | "tunnel";
  /** A token that was replaced goes on until then. */
  expires_at: string | null;
}

export interface Session {
  kind: "session" | "token" | "peer";
  name: string;
  has_password: boolean;
}

/** What `POST /api/ports/{port}/share` takes. An absent password keeps the one that is set. */
export interface ShareRequest {
  mode: Mode;
  password?: string;
  expires: string | null;
  allow: string[];
  max_uses?: number | null;
}

/** What `/api/events` sends. Those without an id are not replayed. */
export type AgentEvent =
  | { id: number | null; type: "hello"; data: { epoch: string; id: number; resumed: boolean } }
  | { id: number | null; type: "port.opened" | "port.changed"; data: Port }
  | { id: number | null; type: "port.closed"; data: { port: number } }
  | { id: number | null; type: "share.changed"; data: { port: number; share: Share } }
  | { id: number | null; type: "repos.changed"; data: { repos: Repo[] } }
  | { id: number | null; type: "system"; data: System }
  | { id: number | null; type: "access"; data: Access & { port: number } };
