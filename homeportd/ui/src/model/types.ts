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

/** What to know before a port is shared, and the command to use instead where there is one. */
export interface Caution {
  kind: "not-http" | "debugger";
  text: string;
  command: string | null;
}

export interface Port {
  port: number;
  listening: boolean;
  addresses: string[];
  pid: number | null;
  started_at: string | null;
  user: string | null;
  /** Whether somebody else than the agent's user runs it. */
  foreign: boolean;
  command: string | null;
  title: string | null;
  /** As its engine calls it; service and project where a compose file made it. */
  container: { name: string; service: string | null; project: string | null } | null;
  cwd: string | null;
  /** Id of the repo that the process runs in. */
  repo: string | null;
  /** Folder below the repo's root, "" for the root itself. */
  subdir: string | null;
  url: string;
  first_seen: string | null;
  share: Share;
  caution: Caution | null;
  /** Why the agent does not look at this port, if it does not: it is Homeport's own, or in no range. */
  outside: "own" | "ranges" | null;
}

export interface Repo {
  id: string;
  name: string;
  path: string;
  branch: string | null;
  dirty: boolean | null;
  remote: string | null;
  owner: string | null;
  /** Whether it belongs to somebody else than the agent's user, who then only lists and shares it. */
  foreign: boolean;
  /** The shell command that gives it to the agent's user. */
  handover: string | null;
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
  /** Why the agent serves that account; null where its settings do not say. */
  user_choice: { reason: string; sentence: string; change: string | null } | null;
  started_at: string;
  uptime_s: number;
  dashboard_url: string;
  /** Pattern of a port's own origin, with `{port}` once; null on an edge that is no workstation. */
  origin: string | null;
  /** Null on a machine that is no edge. */
  edge: EdgeInfo | null;
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
  | { id: number | null; type: "access"; data: Access & { port: number } }
  | TunnelEvent
  | DomainEvent;

/** What this machine is as an edge. */
export interface EdgeInfo {
  /** Pattern of HTTP names, with `{name}` once. */
  url: string;
  admin_url: string;
  /** Where TCP and UDP ports are reached. */
  host: string;
  /** "20000-29999" */
  tcp_ports: string;
  udp_ports: string;
}

export type Kind = "http" | "tcp" | "udp";

export interface Limits {
  bytes_per_second: number | null;
  connections: number | null;
}

/** What changes all the time. Rates are in bytes a second; `in` is from visitors to the server. */
export interface Rates {
  id: string;
  connections: number;
  bytes_in: number;
  bytes_out: number;
  rate_in: number;
  rate_out: number;
  requests: number;
  last_byte_at: string | null;
  round_trip_ms: number | null;
}

/** A name or port of the edge; live while a client holds it. */
export interface Tunnel extends Rates {
  kind: Kind;
  name: string | null;
  port: number | null;
  address: string;
  client: string | null;
  state: "live" | "offline";
  /** When the present state began. */
  since: string;
  refused: number;
  dropped: number;
  allow: string[];
  limits: Limits;
  passcode: boolean;
  reserved: boolean;
  links: number;
}

export interface Reservation {
  id: string;
  kind: Kind;
  name: string | null;
  port: number | null;
  address: string;
  /** Name of the token it belongs to; null: of the first that uses it. */
  token: string | null;
  allow: string[];
  limits: Limits;
  passcode: boolean;
  created_at: string;
  live: boolean;
}

/** An absent passcode keeps the one that is set, null removes it. */
export interface RulesRequest {
  allow: string[];
  limits: Limits;
  passcode?: string | null;
}

export interface ReservationRequest extends RulesRequest {
  kind: Kind;
  name?: string;
  port?: number;
  token?: string;
}

/** A row of a tunnel's access log. `event`: request, open, close or refused. */
export interface Visit {
  id: number;
  time: string;
  event: string;
  address: string;
  port: number;
  method: string | null;
  path: string | null;
  status: number | null;
  bytes_in: number | null;
  bytes_out: number | null;
  duration_ms: number | null;
}

export interface Minute {
  minute: string;
  bytes_in: number;
  bytes_out: number;
  connections: number;
  requests: number;
  refused: number;
  dropped: number;
}

export type DomainState = "pending" | "verified" | "issued" | "error";

export interface DnsRecord {
  name: string;
  type: "CNAME" | "A" | "AAAA";
  value: string;
}

/** A person's own domain, and the reserved name that it leads to. */
export interface Domain {
  domain: string;
  reservation: string;
  name: string;
  state: DomainState;
  /** The record to make first, then others that would do. */
  records: DnsRecord[];
  found: string[];
  error: { detail: string; fix: string } | null;
  /** Whose answer `found` is, where it is not the zone's own servers'. */
  note?: string | null;
  certificate: { issuer: string; not_before: string; not_after: string; serial: string } | null;
  checked_at: string | null;
  retry_at?: string | null;
  created_at: string;
  url: string;
}

export type TunnelEvent =
  | { id: number | null; type: "tunnel.opened" | "tunnel.changed"; data: Tunnel }
  | { id: number | null; type: "tunnel.closed"; data: { id: string } }
  | { id: number | null; type: "tunnel.rates"; data: { tunnels: Rates[] } }
  | { id: number | null; type: "tunnel.visit"; data: Visit & { tunnel: string } };

export type DomainEvent =
  | { id: number | null; type: "domain.changed"; data: Domain }
  | { id: number | null; type: "domain.removed"; data: { domain: string } };
