import { signal } from "@preact/signals";

const CLOCK_MS = 15_000;

/** The time of this browser, for text that depends on it. */
export const now = signal(new Date());

window.setInterval(() => {
  now.value = new Date();
}, CLOCK_MS);
