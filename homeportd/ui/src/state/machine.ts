/** The machine itself: what the agent says of it once, and its load. */

import { batch, signal } from "@preact/signals";
import type { Status, SystemLoad } from "../api/types";
import { onEvent } from "./events";

/** One point for each `system` event: a few minutes. */
const HISTORY_POINTS = 60;

export const status = signal<Status | null>(null);
export const systemLoad = signal<SystemLoad | null>(null);
/** CPU in percent, oldest first. */
export const cpuHistory = signal<readonly number[]>([]);

export function setStatus(answer: Status): void {
  batch(() => {
    status.value = answer;
    addLoad(answer.system);
  });
}

function addLoad(load: SystemLoad): void {
  batch(() => {
    systemLoad.value = load;
    cpuHistory.value = [...cpuHistory.peek(), load.cpu_percent].slice(-HISTORY_POINTS);
  });
}

onEvent((event) => {
  if (event.type === "system") addLoad(event.data);
});
