/** The pages of an edge: a part of the script of its own, which no other machine loads. */

import { signal } from "@preact/signals";
import type { JSX } from "preact";
import type { Entry } from "../palette/entries";
import type { PageName } from "./route";

export interface EdgePart {
  Page: (props: { page: PageName }) => JSX.Element | null;
  Sheets: () => JSX.Element | null;
  Summary: (props: { page: PageName }) => JSX.Element | null;
  /** Whether this edge can map domains. */
  hasDomains: () => boolean;
  entries: () => Entry[];
  /** Does what a key means on a row; false when it means nothing there. */
  onRowKey: (row: string, key: string) => boolean;
  /** Reads everything anew. */
  load: () => Promise<void>;
}

/** Null until it has come, or for ever on a machine that is no edge. */
export const edgePart = signal<EdgePart | null>(null);

let coming: Promise<void> | null = null;

/** Brings the part in, once, and has it read what there is. Raises what `import` and the API raise. */
export async function loadEdge(): Promise<void> {
  coming ??= import("../edge/part").then(({ part }) => {
    edgePart.value = part;
  });
  try {
    await coming;
  } catch (error) {
    coming = null; // a release changed the file's name, or the line was down: the next time may do
    throw error;
  }
  await edgePart.peek()?.load();
}
