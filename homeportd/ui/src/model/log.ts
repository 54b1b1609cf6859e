/** The part of an access log that is shown: newest first, each entry once, without a gap. */

import type { Access } from "./types";

export const PAGE = 50;
/** New visits push older rows out beyond this; those are fetched again by asking for them. */
const MOST = 1000;

export interface Log {
  rows: readonly Access[];
  /** Whether the agent has rows older than the last one shown. */
  more: boolean;
}

/** The log with a page that was asked for below its last row. */
export function withOlder(log: Log, page: readonly Access[]): Log {
  return { rows: merged(page, log.rows), more: page.length === PAGE };
}

/** The log with the newest page; `log` null where nothing was shown yet. */
export function withNewest(log: Log | null, page: readonly Access[]): Log {
  const newest = log?.rows[0]?.id ?? 0;
  // More came than one page holds: what lies between is not known, so the list starts anew.
  if (log === null || (page.length === PAGE && (page.at(-1)?.id ?? 0) > newest)) {
    return { rows: page, more: page.length === PAGE };
  }
  const rows = merged(page, log.rows);
  return rows.length > MOST ? { rows: rows.slice(0, MOST), more: true } : { rows, more: log.more };
}

function merged(fresh: readonly Access[], known: readonly Access[]): Access[] {
  const byId = new Map([...known, ...fresh].map((row) => [row.id, row]));
  return [...byId.values()].sort((a, b) => b.id - a.id);
}
