/** Short messages for the person: a notice on the screen, an announcement for screen readers. */

import { signal } from "@preact/signals";

const NOTICE_MS = 5_000;

/** Text of the live region, which screen readers read out. */
export const announcement = signal("");
/** Text of the notice on the screen; empty without one. */
export const notice = signal("");

let timer = 0;

/** Tells screen readers alone about a change that eyes see where it happens. */
export function announce(text: string): void {
  announcement.value = text;
}

/** Shows a notice for NOTICE_MS, and announces it. */
export function notify(text: string): void {
  announce(text);
  notice.value = text;
  window.clearTimeout(timer);
  timer = window.setTimeout(() => {
    notice.value = "";
  }, NOTICE_MS);
}
