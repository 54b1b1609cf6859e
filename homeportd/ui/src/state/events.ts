/** The event messages of the agent, from the socket to every module that shows them. */

import type { EventMessage } from "../api/types";

const listeners = new Set<(event: EventMessage) => void>();

/** Calls `listener` with each event until the returned function is called. */
export function onEvent(listener: (event: EventMessage) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Passes on an event from the socket, or one that the answer to a request implies. */
export function dispatch(event: EventMessage): void {
  for (const listener of listeners) listener(event);
}
