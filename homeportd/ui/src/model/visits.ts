/** Rows of a tunnel's access log in words. */

import { sizeWords } from "./describe";
import type { Visit } from "./types";

const REDIRECTED = 300;
const REFUSED = 400;

/** "Answered 200", "Connected", "Left after 3.2 s", "Turned away". */
export function eventWords(visit: Visit): string {
  switch (visit.event) {
    case "request":
      return visit.status === null ? "Asked" : `Answered ${visit.status}`;
    case "open":
      return "Connected";
    case "close":
      return visit.duration_ms === null ? "Left" : `Left after ${durationWords(visit.duration_ms)}`;
    case "refused":
      return "Turned away";
    default:
      return visit.event;
  }
}

export function durationWords(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** Whether it went well, for the colour; the words say the same. */
export function toneOf(visit: Visit): "good" | "bad" | "plain" {
  if (visit.event === "refused") return "bad";
  if (visit.event !== "request" || visit.status === null) return "plain";
  if (visit.status >= REFUSED) return "bad";
  return visit.status < REDIRECTED ? "good" : "plain";
}

/** What was asked for and how much moved: "GET /a · 1.2 kB in 4 ms", "in 1 kB, out 3 kB". */
export function detailWords(visit: Visit): string {
  const { method, path, bytes_in, bytes_out, duration_ms } = visit;
  if (method !== null) {
    const took = duration_ms === null ? "" : ` in ${durationWords(duration_ms)}`;
    const moved = bytes_out === null ? "" : ` · ${sizeWords(bytes_out)}${took}`;
    return `${method ?? ""} ${path ?? ""}`.trim() + moved;
  }
  if (bytes_in === null || bytes_out === null) return "";
  return `in ${sizeWords(bytes_in)}, out ${sizeWords(bytes_out)}`;
}
