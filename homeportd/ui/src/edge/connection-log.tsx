import type { ConnectionLogRow } from "../api/types";
import { describeLogEvent, describeTransfer, rowTone } from "../model/connection-log";
import { formatLogTime } from "../model/time-format";
import { now } from "../state/clock";

const TONES = { good: "text-public", bad: "text-danger", plain: "" };

/** The rows of a tunnel's connection log: one line each, on a phone two or three. */
export function ConnectionLog({ rows }: { rows: readonly ConnectionLogRow[] }) {
  return (
    <ol class="text-small" data-connection-log>
      {rows.map((row) => (
        <li
          key={row.id}
          class="appear grid grid-cols-[minmax(0,1fr)_auto] gap-x-4 border-t border-line py-1.5 sm:grid-cols-[9rem_11rem_minmax(0,1fr)_auto] sm:items-baseline"
        >
          <span class={`font-medium ${TONES[rowTone(row)]}`}>{describeLogEvent(row)}</span>
          <span class="font-mono [overflow-wrap:anywhere] max-sm:col-span-2 max-sm:row-start-2">
            {row.address}
          </span>
          <span class="font-mono [overflow-wrap:anywhere] empty:hidden max-sm:col-span-2 max-sm:row-start-3 sm:col-start-3">
            {describeTransfer(row)}
          </span>
          <span class="whitespace-nowrap text-soft max-sm:col-start-2 max-sm:row-start-1 sm:col-start-4">
            {formatLogTime(row.time, now.value)}
          </span>
        </li>
      ))}
    </ol>
  );
}
