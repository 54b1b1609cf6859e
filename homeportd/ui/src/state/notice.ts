/** What is said to the person: to all by a short notice, to screen readers also in a live region. */

import { signal } from "@preact/signals";

const NOTICE_MS = 5_000;

export const spoken = signal("");
export const notice = signal("");

let timer = 0;

/** Says something to screen readers alone, for changes that eyes see where they happen. */
export function announce(text: string): void {
  spoken.value = text;
}

/** Shows a short notice and says it. */
export function notify(text: string): void {
  announce(text);
  notice.value = text;
  window.clearTimeout(timer);
  timer = window.setTimeout(() => {
    notice.value = "";
  }, NOTICE_MS);
}
