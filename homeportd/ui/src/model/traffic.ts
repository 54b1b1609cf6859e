/** The traffic of a tunnel in the last hour, minute by minute. */

import type { TrafficMinute } from "../api/types";
import { formatBytes } from "./byte-size";

export const SHOWN_MINUTES = 60;
const MINUTE_MS = 60_000;

/** Bytes in both directions in each of the last 60 minutes, the present minute last; 0 without traffic. */
export function bytesPerMinute(minutes: readonly TrafficMinute[], now: Date): number[] {
  const present = Math.floor(now.getTime() / MINUTE_MS);
  const bars = Array<number>(SHOWN_MINUTES).fill(0);
  for (const { minute, bytes_in, bytes_out } of minutes) {
    const at = SHOWN_MINUTES - 1 - (present - Math.floor(new Date(minute).getTime() / MINUTE_MS));
    if (at >= 0 && at < SHOWN_MINUTES) bars[at] = bytes_in + bytes_out;
  }
  return bars;
}

/** "In the last hour 12 requests, 3.1 kB in, 40 MB out, 2 turned away." */
export function describeHour(minutes: readonly TrafficMinute[]): string {
  const sum = (of: (minute: TrafficMinute) => number) =>
    minutes.reduce((total, minute) => total + of(minute), 0);
  const [requests, connections] = [sum((m) => m.requests), sum((m) => m.connections)];
  const [refused, dropped] = [sum((m) => m.refused), sum((m) => m.dropped)];
  const count = (number: number, one: string, many: string) =>
    number === 0 ? [] : [`${number.toLocaleString("en-GB")} ${number === 1 ? one : many}`];
  const parts = [
    ...(requests > 0
      ? count(requests, "request", "requests")
      : count(connections, "connection", "connections")),
    `${formatBytes(sum((m) => m.bytes_in))} in`,
    `${formatBytes(sum((m) => m.bytes_out))} out`,
    ...count(refused, "turned away", "turned away"),
    ...count(dropped, "datagram dropped", "datagrams dropped"),
  ];
  return minutes.length === 0 ? "Nothing moved in the last hour." : `In the last hour ${parts.join(", ")}.`;
}
