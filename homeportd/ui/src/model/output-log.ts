/** The lines of an output that are kept in the page, and where each stands in a list of very many. */

import type { OutputLine } from "../api/types";
import { plainText } from "./ansi";

/** Older lines leave the page; the agent keeps them. */
export const MAX_LINES = 100_000;
/** Lines that leave at once, so that not each new line moves all others. */
const DROPPED = 10_000;

/** The kept lines with those that came; lines that are there already are left out. */
export function appendLines(kept: readonly OutputLine[], more: readonly OutputLine[]): readonly OutputLine[] {
  const end = kept.at(-1)?.end ?? -1;
  const fresh = more.filter((line) => line.offset >= end);
  if (fresh.length === 0) return kept;
  const all = kept.concat(fresh);
  return all.length > MAX_LINES ? all.slice(all.length - MAX_LINES + DROPPED) : all;
}

/** Numbers of the lines that have `query`, in upper or lower case. */
export function matchingLines(lines: readonly OutputLine[], query: string): number[] {
  const wanted = query.toLowerCase();
  if (wanted === "") return [];
  return lines.flatMap((line, index) => (plainText(line.text).toLowerCase().includes(wanted) ? [index] : []));
}

/** Heights of lines in rows; `columns` null: a line is a row. */
export class Rows {
  private readonly ends: Int32Array;

  constructor(lines: readonly OutputLine[], columns: number | null) {
    this.ends = new Int32Array(lines.length);
    let end = 0;
    lines.forEach((line, index) => {
      end += columns === null ? 1 : Math.max(1, Math.ceil(plainText(line.text).length / columns));
      this.ends[index] = end;
    });
  }

  get total(): number {
    return this.ends.at(-1) ?? 0;
  }

  /** The row at which a line begins. */
  startOf(line: number): number {
    return line > 0 ? (this.ends[Math.min(line, this.ends.length) - 1] ?? 0) : 0;
  }

  /** The line that a row belongs to. */
  lineAt(row: number): number {
    let [low, high] = [0, this.ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.ends[middle] ?? 0) <= row) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** `text` cut into parts around `query`, every second of which is a match. */
export function splitAtMatches(text: string, query: string): string[] {
  if (query === "") return [text];
  const parts: string[] = [];
  const [haystack, wanted] = [text.toLowerCase(), query.toLowerCase()];
  let at = 0;
  for (let found = haystack.indexOf(wanted); found >= 0; found = haystack.indexOf(wanted, at)) {
    parts.push(text.slice(at, found), text.slice(found, found + wanted.length));
    at = found + wanted.length;
  }
  return [...parts, text.slice(at)];
}
