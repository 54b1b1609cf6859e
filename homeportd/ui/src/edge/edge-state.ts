/** What the pages of the edge show, kept up to date by the agent's events. */

import { batch, computed, effect, type ReadonlySignal, signal } from "@preact/signals";
import type { Domain, EventMessage, Reservation, Tunnel } from "../api/types";
import { announce } from "../browser/notices";
import type { Confirmation } from "../components/confirm-dialog";
import { applyDomainEvent, sortDomains } from "../model/domains";
import { applyTunnelEvent, labelOf, type TunnelsById, tunnelsById } from "../model/tunnels";
import { attempt } from "../net/attempt";
import { readOrder } from "../net/read-order";
import { onEvent } from "../state/events";
import { status } from "../state/machine";
import { retainedRows } from "../state/retained-rows";
import { getDomains, getReservations, getTunnels } from "./edge-api";

const BURST_MS = 250;
const SECOND_MS = 1_000;

/** Null until they were read. */
export const tunnels = signal<TunnelsById | null>(null);
const reserved = signal<readonly Reservation[]>([]);
/** Changed by reading them, and by `changeReservations`. */
export const reservations: ReadonlySignal<readonly Reservation[]> = reserved;
/** Null where this edge cannot map domains. */
export const domains = signal<readonly Domain[] | null>(null);
/** The dialog that asks before something is done, or null. */
export const confirmation = signal<Confirmation | null>(null);

const rows = retainedRows<string, Tunnel>("tunnel ");
/** The tunnels, with those that ended under the pointer. */
export const shownTunnels = computed(
  () => new Map([...rows.retained.value, ...(tunnels.value ?? new Map<string, Tunnel>())]),
);

/** The agent's clock less this browser's, which may be wrong: a live tunnel must not look silent. */
let skewMs = 0;
effect(() => {
  const known = status.value;
  if (known !== null) skewMs = new Date(known.started_at).getTime() + known.uptime_s * 1000 - Date.now();
});
export const agentNow = (): Date => new Date(Date.now() + skewMs);

/** The agent's time, each second while the page is visible. */
export const secondsClock = signal(agentNow());
window.setInterval(() => {
  if (!document.hidden) secondsClock.value = agentNow();
}, SECOND_MS);

let loading = 0;
/** Events that came while the lists were being read: they may be newer than the answer. */
let pending: EventMessage[] = [];

/** No event carries the reservations, so nothing would correct an answer that comes late. */
const reservationReads = readOrder();

/** Applies what the edge has just answered, before the reservations are read again. */
export function changeReservations(change: (before: readonly Reservation[]) => readonly Reservation[]): void {
  reservationReads.supersede();
  reserved.value = change(reserved.peek());
}

/** Reads everything. Throws Problem. */
export async function load(): Promise<void> {
  loading += 1;
  const isNewest = reservationReads.begin();
  try {
    const [all, kept, mapped] = await Promise.all([getTunnels(), getReservations(), getDomains()]);
    batch(() => {
      tunnels.value = pending.reduce(applyTunnelEvent, tunnelsById(all));
      if (isNewest()) reserved.value = kept;
      domains.value = mapped && pending.reduce(applyDomainEvent, sortDomains(mapped));
    });
  } finally {
    loading -= 1;
    if (loading === 0) pending = [];
  }
}

/** Reads the reservations again: no event carries them. */
export async function loadReservations(): Promise<void> {
  await attempt(
    async () => {
      const isNewest = reservationReads.begin();
      const kept = await getReservations();
      if (isNewest()) reserved.value = kept;
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

onEvent((event) => {
  if (loading > 0) pending.push(event);
  if (event.type === "tunnel.visit") return;
  if (domains.peek() !== null) domains.value = applyDomainEvent(domains.peek() ?? [], event);
  const before = tunnels.peek();
  if (before === null || !event.type.startsWith("tunnel.")) return;
  const after = applyTunnelEvent(before, event);
  if (event.type === "tunnel.opened") {
    announce(`Tunnel ${labelOf(event.data)} is live.`);
    rows.release(event.data.id);
  } else if (event.type === "tunnel.closed") {
    const last = before.get(event.data.id);
    if (last !== undefined) {
      announce(`Tunnel ${labelOf(last)} has ended.`);
      rows.retain(last.id, { ...last, state: "offline", client: null, since: agentNow().toISOString() });
    }
  }
  tunnels.value = after;
  if (event.type !== "tunnel.rates") loadReservationsSoon();
});
