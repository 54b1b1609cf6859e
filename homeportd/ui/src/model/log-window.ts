/** The part of a log that is shown: newest row first, each row once, without a gap. */

export const PAGE_SIZE = 50;
/** New rows push older rows out beyond this; a click on "older" reads those again. */
const MAX_ROWS = 1000;

interface Row {
  id: number;
}

export interface LogWindow<T extends Row> {
  rows: readonly T[];
  /** Whether the agent has rows older than the last one shown. */
  more: boolean;
}

/** The log with the page below its last row. */
export function appendOlder<T extends Row>(log: LogWindow<T>, page: readonly T[]): LogWindow<T> {
  return { rows: merged(page, log.rows), more: page.length === PAGE_SIZE };
}

/** The log with the newest page; `log` null: nothing is shown yet. */
export function mergeNewest<T extends Row>(log: LogWindow<T> | null, page: readonly T[]): LogWindow<T> {
  const newest = log?.rows[0]?.id ?? 0;
  // More rows are new than a page holds: the rows between are not known, so the list starts anew.
  if (log === null || (page.length === PAGE_SIZE && (page.at(-1)?.id ?? 0) > newest)) {
    return { rows: page, more: page.length === PAGE_SIZE };
  }
  const rows = merged(page, log.rows);
  return rows.length > MAX_ROWS ? { rows: rows.slice(0, MAX_ROWS), more: true } : { rows, more: log.more };
}

function merged<T extends Row>(fresh: readonly T[], known: readonly T[]): T[] {
  const byId = new Map([...known, ...fresh].map((row) => [row.id, row]));
  return [...byId.values()].sort((a, b) => b.id - a.id);
}
