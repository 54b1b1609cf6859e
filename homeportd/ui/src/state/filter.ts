import { signal } from "@preact/signals";

/** Text in the filter above the lists. */
export const filter = signal("");
