/** The part of an access log that is shown: newest first, each entry once, without a gap. */

export const PAGE = 50;
/** New visits push older rows out beyond this; those are fetched again by asking for them. */
const MOST = 1000;

interface Row {
  id: number;
}

export interface Log<T extends Row> {
  rows: readonly T[];
  /** Whether the agent has rows older than the last one shown. */
  more: boolean;
}

/** The log with a page that was asked for below its last row. */
export function withOlder<T extends Row>(log: Log<T>, page: readonly T[]): Log<T> {
  return { rows: merged(page, log.rows), more: page.length === PAGE };
}

/** The log with the newest page; `log` null where nothing was shown yet. */
export function withNewest<T extends Row>(log: Log<T> | null, page: readonly T[]): Log<T> {
  const newest = log?.rows[0]?.id ?? 0;
  // More came than one page holds: what lies between is not known, so the list starts anew.
  if (log === null || (page.length === PAGE && (page.at(-1)?.id ?? 0) > newest)) {
    return { rows: page, more: page.length === PAGE };
  }
  const rows = merged(page, log.rows);
  return rows.length > MOST ? { rows: rows.slice(0, MOST), more: true } : { rows, more: log.more };
}

function merged<T extends Row>(fresh: readonly T[], known: readonly T[]): T[] {
  const byId = new Map([...known, ...fresh].map((row) => [row.id, row]));
  return [...byId.values()].sort((a, b) => b.id - a.id);
}
