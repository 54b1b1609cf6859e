/** The pages of an edge, which are a part of the script of their own: no other machine loads it. */

import { signal } from "@preact/signals";
import type { JSX } from "preact";
import type { PaletteEntry } from "../model/palette-entry";
import { handleUnauthorized } from "../net/attempt";
import { Problem } from "../net/problem";
import type { TunnelPage } from "./route";

export interface EdgePages {
  Page: (props: { page: TunnelPage }) => JSX.Element | null;
  Sheets: () => JSX.Element | null;
  Summary: (props: { page: TunnelPage }) => JSX.Element | null;
  /** Whether this edge can map domains. */
  hasDomains: () => boolean;
  paletteEntries: () => PaletteEntry[];
  /** Does what a key means on a row; returns false where it means nothing. */
  onRowKey: (row: string, key: string) => boolean;
  /** Reads everything anew. Throws Problem. */
  load: () => Promise<void>;
}

/** Null until the script is loaded: for ever on a machine that is no edge. */
export const edgePages = signal<EdgePages | null>(null);
/** Why the pages cannot be shown, or null. */
export const edgeFailure = signal<Problem | null>(null);

let importPages: () => Promise<EdgePages> = () =>
  Promise.reject(new Error("no loader of the edge's pages is set"));
let importing: Promise<EdgePages> | null = null;

/** Names what imports the script. */
export function setEdgePagesImport(load: () => Promise<EdgePages>): void {
  importPages = load;
}

/** Imports the script, once, and reads what its pages show. Returns false where what they show may be old. */
export async function loadEdgePages(): Promise<boolean> {
  edgeFailure.value = null;
  try {
    importing ??= importPages();
    edgePages.value = await importing.catch((error: unknown) => {
      importing = null; // a release changed the file's name, or the connection was lost: the next time may succeed
      throw error;
    });
    await edgePages.value.load();
  } catch (error) {
    if (!(error instanceof Problem)) edgeFailure.value = notLoaded(error);
    else if (error.status === 401) handleUnauthorized(error);
    else if (edgePages.peek() !== null) return false;
    else edgeFailure.value = error;
  }
  return true;
}

const notLoaded = (error: unknown) =>
  new Problem(
    0,
    "This page could not be loaded",
    "A part of the dashboard did not come, perhaps since a new release was installed meanwhile.",
    "Reload the page.",
    String(error),
  );
