/** What the pages of the edge show, kept up to date by the agent's events. */

import { batch, computed, effect, type ReadonlySignal, signal } from "@preact/signals";
import { applyDomainEvent, sortDomains } from "../model/domains";
import { applyTunnelEvent, labelOf, type Tunnels, tunnelsOf } from "../model/tunnels";
import type {
  AgentEvent,
  Domain,
  DomainEvent,
  Reservation,
  Tunnel,
  TunnelEvent,
  Visit,
} from "../model/types";
import type { Question } from "../parts/confirm";
import { attempt } from "../state/attempt";
import { holding } from "../state/held";
import { announce } from "../state/notice";
import { onEvent, status } from "../state/store";
import { turns } from "../state/turns";
import { getDomains, getReservations, getTunnels } from "./calls";

const BURST_MS = 250;
const SECOND_MS = 1_000;

export const tunnels = signal<Tunnels | null>(null);
const kept = signal<readonly Reservation[]>([]);
/** Changed by reading them, and by `changeReservations`. */
export const reservations: ReadonlySignal<readonly Reservation[]> = kept;
/** Null where this edge cannot map domains. */
export const domains = signal<readonly Domain[] | null>(null);
/** What is asked before it is done. */
export const question = signal<Question | null>(null);

const rows = holding<string, Tunnel>("tunnel ");
/** With those that ended under the hand. */
export const shownTunnels = computed(
  () => new Map([...rows.held.value, ...(tunnels.value ?? new Map<string, Tunnel>())]),
);

/** The agent's clock less this one's: a browser whose clock is off must not call a live tunnel silent. */
let skewMs = 0;
effect(() => {
  const known = status.value;
  if (known !== null) skewMs = new Date(known.started_at).getTime() + known.uptime_s * 1000 - Date.now();
});
export const agentNow = (): Date => new Date(Date.now() + skewMs);

/** For ages in seconds; stands still while nobody looks. */
export const second = signal(agentNow());
window.setInterval(() => {
  if (!document.hidden) second.value = agentNow();
}, SECOND_MS);

const visitListeners = new Set<(visit: Visit & { tunnel: string }) => void>();

/** Hears of each visit until the returned function is called. */
export function onVisit(listener: (visit: Visit & { tunnel: string }) => void): () => void {
  visitListeners.add(listener);
  return () => visitListeners.delete(listener);
}

let loading = 0;
/** Events that came while the lists were being fetched: they may be newer than the answer. */
let pending: AgentEvent[] = [];

const asTunnel = (event: AgentEvent) => event as TunnelEvent;
const asDomain = (event: AgentEvent) => event as DomainEvent;

/** No event carries the reservations, so that an answer that comes late would stay. */
const turn = turns();

/** What the edge has just answered, before it is read with the rest. */
export function changeReservations(change: (before: readonly Reservation[]) => readonly Reservation[]): void {
  turn()();
  kept.value = change(kept.peek());
}

export async function load(): Promise<void> {
  loading += 1;
  const isLatest = turn();
  try {
    const [all, reserved, mapped] = await Promise.all([getTunnels(), getReservations(), getDomains()]);
    batch(() => {
      tunnels.value = pending.map(asTunnel).reduce(applyTunnelEvent, tunnelsOf(all));
      if (isLatest()) kept.value = reserved;
      domains.value = mapped && pending.map(asDomain).reduce(applyDomainEvent, sortDomains(mapped));
    });
  } finally {
    loading -= 1;
    if (loading === 0) pending = [];
  }
}

/** Reads the reservations anew: no event carries them. Shows the login page when that is what is needed. */
export async function loadReservations(): Promise<void> {
  await attempt(
    async () => {
      const isLatest = turn();
      const reserved = await getReservations();
      if (isLatest()) kept.value = reserved;
    },
    () => {},
  );
}

let burst = 0;

function loadReservationsSoon(): void {
  if (burst !== 0) return;
  burst = window.setTimeout(() => {
    burst = 0;
    void loadReservations();
  }, BURST_MS);
}

function receive(event: AgentEvent): void {
  if (loading > 0) pending.push(event);
  if (event.type === "tunnel.visit") {
    for (const listener of visitListeners) listener(event.data);
    return;
  }
  if (domains.peek() !== null && event.type.startsWith("domain.")) {
    domains.value = applyDomainEvent(domains.peek() ?? [], asDomain(event));
    return;
  }
  const before = tunnels.peek();
  if (before === null || !event.type.startsWith("tunnel.")) return;
  const after = applyTunnelEvent(before, asTunnel(event));
  if (event.type === "tunnel.opened") {
    announce(`Tunnel ${labelOf(event.data)} is live.`);
    rows.takeBack(event.data.id);
  } else if (event.type === "tunnel.closed") {
    const last = before.get(event.data.id);
    if (last !== undefined) {
      announce(`Tunnel ${labelOf(last)} has ended.`);
      rows.hold(last.id, { ...last, state: "offline", client: null, since: agentNow().toISOString() });
    }
  }
  tunnels.value = after;
  if (event.type !== "tunnel.rates") loadReservationsSoon();
}

onEvent(receive);
