/** The ports and repos of this machine, kept up to date by the agent's events. */

import { computed, signal } from "@preact/signals";
import type { EventMessage, Port } from "../api/types";
import { announce } from "../browser/notices";
import { groupPorts } from "../model/port-groups";
import { describePort } from "../model/port-text";
import { applyPortEvent, NO_PORTS, type PortsState } from "../model/ports";
import { onEvent } from "./events";
import { filter } from "./filter";
import { retainedRows } from "./retained-rows";

const state = signal(NO_PORTS);
/** Changed by events, and by `setPorts`. */
export const portsState: { readonly value: PortsState; peek: () => PortsState } = state;

const rows = retainedRows<number, Port>("port ");
/** The ports, with those that closed under the pointer. */
const withRetained = computed(() => new Map([...rows.retained.value, ...state.value.ports]));
/** The same by number. */
export const shownPorts = computed(() => [...withRetained.value.values()].sort((a, b) => a.port - b.port));
/** The ports that pass the filter, by repo. */
export const portGroups = computed(() =>
  groupPorts({ ...state.value, ports: withRetained.value }, filter.value),
);

/** Replaces all by what was read, brought up to date by events that came meanwhile. */
export function setPorts(read: PortsState, since: readonly EventMessage[]): void {
  state.value = since.reduce(applyPortEvent, read);
}

onEvent((event) => {
  const before = state.peek();
  const after = applyPortEvent(before, event);
  if (event.type === "port.opened") {
    announce(`Port ${event.data.port} is running: ${describePort(event.data)}.`);
    rows.release(event.data.port);
  } else if (event.type === "port.closed") {
    announce(`Port ${event.data.port} stopped.`);
    const port = before.ports.get(event.data.port);
    if (port !== undefined && !after.ports.has(port.port))
      rows.retain(port.port, { ...port, listening: false });
  }
  state.value = after;
});
