/** The tunnels of an edge: their shapes, how events change them, and their words. */

import { sizeWords } from "./describe";
import type { Kind, Tunnel, TunnelEvent } from "./types";
import { whenWords } from "./when";

export type Tunnels = ReadonlyMap<string, Tunnel>;

export const KIND_WORDS: Record<Kind, string> = { http: "HTTP", tcp: "TCP", udp: "UDP" };
const KINDS: readonly Kind[] = ["http", "tcp", "udp"];

export const tunnelsOf = (list: readonly Tunnel[]): Tunnels =>
  new Map(list.map((tunnel) => [tunnel.id, tunnel]));

/** The tunnels after `event`; the same object when it is about none of them. Applying twice changes nothing. */
export function applyTunnelEvent(tunnels: Tunnels, event: TunnelEvent): Tunnels {
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
      // Rates name what moved, not what a tunnel is: they never make one.
      for (const rates of known) after.set(rates.id, { ...(after.get(rates.id) as Tunnel), ...rates });
      return after;
    }
    default:
      return tunnels;
  }
}

/** What a person calls a tunnel or a reservation: its name, or its port. */
export const labelOf = (place: { name: string | null; port: number | null }): string =>
  place.name ?? String(place.port);

interface Placed {
  kind: Kind;
  name: string | null;
  port: number | null;
}

/** By kind, names from A to Z and ports rising: an order that does not move while it is read. */
export function byKind<T extends Placed>(
  places: Iterable<T>,
  filter: string,
  textOf: (place: T) => string,
): { kind: Kind; places: T[] }[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (place: T) => {
    const text = textOf(place).toLowerCase();
    return words.every((word) => text.includes(word));
  };
  const sorted = [...places]
    .filter(fits)
    .sort((a, b) => (a.port ?? 0) - (b.port ?? 0) || (a.name ?? "").localeCompare(b.name ?? ""));
  return KINDS.map((kind) => ({ kind, places: sorted.filter((place) => place.kind === kind) })).filter(
    (block) => block.places.length > 0,
  );
}

/** All that a tunnel's row says, for the filter. */
export const tunnelText = (tunnel: Tunnel): string =>
  [
    labelOf(tunnel),
    KIND_WORDS[tunnel.kind],
    tunnel.address,
    tunnel.state,
    tunnel.client ?? "",
    tunnel.allow.join(" "),
    audienceWords(tunnel),
  ].join(" ");

/** "Public · from anywhere", "Passcode · from 2 networks": who may, as a share says it. */
export function audienceWords({ passcode, allow }: { passcode: boolean; allow: readonly string[] }): string {
  return `${passcode ? "Passcode" : "Public"} · ${networkWords(allow)}`;
}

export function networkWords(allow: readonly string[]): string {
  if (allow.length === 0) return "from anywhere";
  return allow.length === 1 ? `from ${allow[0]}` : `from ${allow.length} networks`;
}

/** "at most 20 connections, 512 kB/s", or "" without limits. */
export function limitWords({ connections, bytes_per_second }: Tunnel["limits"]): string {
  const parts = [
    ...(connections === null ? [] : [connections === 1 ? "1 connection" : `${connections} connections`]),
    ...(bytes_per_second === null ? [] : [`${sizeWords(bytes_per_second)}/s`]),
  ];
  return parts.length === 0 ? "" : `at most ${parts.join(", ")}`;
}

/** "3 s ago", "4 min ago": to the second at first, since that is what tells a live tunnel from a dead one. */
export function ageWords(iso: string, now: Date): string {
  const seconds = Math.max(0, Math.floor((now.getTime() - new Date(iso).getTime()) / 1000));
  if (seconds < 2) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 12 * 3600) return `${Math.floor(seconds / 3600)} h ago`;
  return whenWords(new Date(iso), now);
}

/** Who holds it and when the last byte moved: "laptop · last byte 3 s ago · 2 connections". */
export function holderWords(tunnel: Tunnel, now: Date): string {
  if (tunnel.state === "offline") {
    const last = tunnel.last_byte_at ? ` · last byte ${ageWords(tunnel.last_byte_at, now)}` : "";
    return `no client since ${whenWords(new Date(tunnel.since), now)}${last}`;
  }
  const visitors = tunnel.kind === "udp" ? "visitor" : "connection";
  return [
    tunnel.client,
    tunnel.last_byte_at ? `last byte ${ageWords(tunnel.last_byte_at, now)}` : "nothing has come yet",
    ...(tunnel.connections > 0
      ? [`${tunnel.connections} ${visitors}${tunnel.connections === 1 ? "" : "s"}`]
      : []),
  ]
    .filter(Boolean)
    .join(" · ");
}

/** "in 12 kB/s, out 1.4 MB/s"; "quiet" when nothing moves. In is from visitors to the server. */
export function rateWords({ rate_in, rate_out }: { rate_in: number; rate_out: number }): string {
  if (rate_in < 1 && rate_out < 1) return "quiet";
  return `in ${sizeWords(rate_in)}/s, out ${sizeWords(rate_out)}/s`;
}

/** "3 tunnels live, 1 offline" */
export function countWords(tunnels: Iterable<Tunnel>): string {
  const all = [...tunnels];
  const live = all.filter((tunnel) => tunnel.state === "live").length;
  const offline = all.length - live;
  return `${live === 1 ? "1 tunnel" : `${live} tunnels`} live${offline > 0 ? `, ${offline} offline` : ""}`;
}

/** Where clients connect: the pattern of names without a name. */
export const edgeAddress = (pattern: string): string => pattern.replace("{name}.", "");
