/** The tunnels of an edge: their order, how events change them, and text for them. */

import type { EventMessage, Tunnel, TunnelKind } from "../api/types";
import { formatBytes } from "./byte-size";
import { matchesFilter } from "./text-filter";
import { formatDateTime } from "./time-format";

export type TunnelsById = ReadonlyMap<string, Tunnel>;

export const KIND_LABELS: Record<TunnelKind, string> = { http: "HTTP", tcp: "TCP", udp: "UDP" };
const KINDS: readonly TunnelKind[] = ["http", "tcp", "udp"];

export const tunnelsById = (list: readonly Tunnel[]): TunnelsById =>
  new Map(list.map((tunnel) => [tunnel.id, tunnel]));

/** The tunnels after `event`; the same object when it changes none. Applying twice changes nothing. */
export function applyTunnelEvent(tunnels: TunnelsById, event: EventMessage): TunnelsById {
  switch (event.type) {
    case "tunnel.opened":
    case "tunnel.changed":
      return new Map(tunnels).set(event.data.id, event.data);
    case "tunnel.closed": {
      const rest = new Map(tunnels);
      return rest.delete(event.data.id) ? rest : tunnels;
    }
    case "tunnel.rates": {
      const known = event.data.tunnels.filter((rates) => tunnels.has(rates.id));
      if (known.length === 0) return tunnels;
      const after = new Map(tunnels);
      // Rates alone do not make a tunnel: they have neither its name nor its state.
      for (const rates of known) after.set(rates.id, { ...(after.get(rates.id) as Tunnel), ...rates });
      return after;
    }
    default:
      return tunnels;
  }
}

/** What a tunnel and a reservation have in common: a name (HTTP) or a port (TCP, UDP) of the edge. */
export interface Endpoint {
  kind: TunnelKind;
  name: string | null;
  port: number | null;
  address: string;
}

/** The name of a tunnel or reservation, or its port where it has no name. */
export const labelOf = (endpoint: Pick<Endpoint, "name" | "port">): string =>
  endpoint.name ?? String(endpoint.port);

/** Tunnels or reservations by kind, names from A to Z, then ports rising: an order that does not change while it is read. */
export function groupByKind<T extends Endpoint>(
  endpoints: Iterable<T>,
  filter: string,
  textOf: (endpoint: T) => string,
): { kind: TunnelKind; endpoints: T[] }[] {
  const sorted = [...endpoints]
    .filter((endpoint) => matchesFilter(filter, textOf(endpoint)))
    .sort((a, b) => (a.port ?? 0) - (b.port ?? 0) || (a.name ?? "").localeCompare(b.name ?? ""));
  return KINDS.map((kind) => ({
    kind,
    endpoints: sorted.filter((endpoint) => endpoint.kind === kind),
  })).filter((group) => group.endpoints.length > 0);
}

/** All that the row of a tunnel shows, for the filter. */
export const tunnelSearchText = (tunnel: Tunnel): string =>
  [
    labelOf(tunnel),
    KIND_LABELS[tunnel.kind],
    tunnel.address,
    tunnel.state,
    tunnel.client ?? "",
    tunnel.allow.join(" "),
    describeAudience(tunnel),
  ].join(" ");

/** Who may open a tunnel: "Public · from anywhere", "Passcode · from 2 networks". */
export function describeAudience({
  passcode,
  allow,
}: {
  passcode: boolean;
  allow: readonly string[];
}): string {
  return `${passcode ? "Passcode" : "Public"} · ${describeNetworks(allow)}`;
}

export function describeNetworks(allow: readonly string[]): string {
  if (allow.length === 0) return "from anywhere";
  return allow.length === 1 ? `from ${allow[0]}` : `from ${allow.length} networks`;
}

/** "at most 20 connections, 512 kB/s"; empty without limits. */
export function describeLimits({ connections, bytes_per_second }: Tunnel["limits"]): string {
  const parts = [
    ...(connections === null ? [] : [connections === 1 ? "1 connection" : `${connections} connections`]),
    ...(bytes_per_second === null ? [] : [`${formatBytes(bytes_per_second)}/s`]),
  ];
  return parts.length === 0 ? "" : `at most ${parts.join(", ")}`;
}

/** "3 s ago", "4 min ago": seconds show whether a tunnel is alive. */
export function formatAgeInSeconds(iso: string, now: Date): string {
  const seconds = Math.max(0, Math.floor((now.getTime() - new Date(iso).getTime()) / 1000));
  if (seconds < 2) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 12 * 3600) return `${Math.floor(seconds / 3600)} h ago`;
  return formatDateTime(new Date(iso), now);
}

/** The client of a tunnel and its latest traffic: "laptop · last byte 3 s ago · 2 connections". */
export function describeActivity(tunnel: Tunnel, now: Date): string {
  if (tunnel.state === "offline") {
    const last = tunnel.last_byte_at ? ` · last byte ${formatAgeInSeconds(tunnel.last_byte_at, now)}` : "";
    return `no client since ${formatDateTime(new Date(tunnel.since), now)}${last}`;
  }
  const unit = tunnel.kind === "udp" ? "visitor" : "connection";
  return [
    tunnel.client,
    tunnel.last_byte_at
      ? `last byte ${formatAgeInSeconds(tunnel.last_byte_at, now)}`
      : "nothing has come yet",
    ...(tunnel.connections > 0
      ? [`${tunnel.connections} ${unit}${tunnel.connections === 1 ? "" : "s"}`]
      : []),
  ]
    .filter(Boolean)
    .join(" · ");
}

/** "in 12 kB/s, out 1.4 MB/s"; "quiet" without traffic. "In" is from visitors to the server. */
export function describeRates({ rate_in, rate_out }: { rate_in: number; rate_out: number }): string {
  if (rate_in < 1 && rate_out < 1) return "quiet";
  return `in ${formatBytes(rate_in)}/s, out ${formatBytes(rate_out)}/s`;
}

/** Number of tunnels by state: "3 tunnels live, 1 offline". */
export function describeCounts(tunnels: Iterable<Tunnel>): string {
  const all = [...tunnels];
  const live = all.filter((tunnel) => tunnel.state === "live").length;
  const offline = all.length - live;
  return `${live === 1 ? "1 tunnel" : `${live} tunnels`} live${offline > 0 ? `, ${offline} offline` : ""}`;
}

/** The address that clients connect to: the pattern of HTTP names without the name. */
export const edgeAddress = (pattern: string): string => pattern.replace("{name}.", "");
