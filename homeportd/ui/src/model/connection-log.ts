/** Text for rows of a tunnel's connection log. */

import type { ConnectionLogRow } from "../api/types";
import { formatBytes } from "./byte-size";

const STATUS_REDIRECT = 300;
const STATUS_ERROR = 400;

/** "Answered 200", "Connected", "Left after 3.2 s", "Turned away". */
export function describeLogEvent(row: ConnectionLogRow): string {
  switch (row.event) {
    case "request":
      return row.status === null ? "Asked" : `Answered ${row.status}`;
    case "open":
      return "Connected";
    case "close":
      return row.duration_ms === null ? "Left" : `Left after ${formatDuration(row.duration_ms)}`;
    case "refused":
      return "Turned away";
    default:
      return row.event;
  }
}

export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** The colour of a row: whether the connection or request succeeded, as its text says. */
export function rowTone(row: ConnectionLogRow): "good" | "bad" | "plain" {
  if (row.event === "refused") return "bad";
  if (row.event !== "request" || row.status === null) return "plain";
  if (row.status >= STATUS_ERROR) return "bad";
  return row.status < STATUS_REDIRECT ? "good" : "plain";
}

/** The request and the bytes of a row: "GET /a · 1.2 kB in 4 ms", "in 1 kB, out 3 kB". */
export function describeTransfer(row: ConnectionLogRow): string {
  const { method, path, bytes_in, bytes_out, duration_ms } = row;
  if (method !== null) {
    const took = duration_ms === null ? "" : ` in ${formatDuration(duration_ms)}`;
    const moved = bytes_out === null ? "" : ` · ${formatBytes(bytes_out)}${took}`;
    return `${method ?? ""} ${path ?? ""}`.trim() + moved;
  }
  if (bytes_in === null || bytes_out === null) return "";
  return `in ${formatBytes(bytes_in)}, out ${formatBytes(bytes_out)}`;
}
