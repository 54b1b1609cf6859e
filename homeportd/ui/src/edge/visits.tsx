import type { Visit } from "../model/types";
import { detailWords, eventWords, toneOf } from "../model/visits";
import { logTime } from "../model/when";
import { now } from "../state/store";

const TONES = { good: "text-public", bad: "text-danger", plain: "" };

/** The access log: a line each, on a phone two. */
export function Visits({ rows }: { rows: readonly Visit[] }) {
  return (
    <ol class="text-small" data-visits>
      {rows.map((visit) => (
        <li
          key={visit.id}
          class="appear grid grid-cols-[minmax(0,1fr)_auto] gap-x-4 border-t border-line py-1.5 sm:grid-cols-[9rem_11rem_minmax(0,1fr)_auto] sm:items-baseline"
        >
          <span class={`font-medium ${TONES[toneOf(visit)]}`}>{eventWords(visit)}</span>
          <span class="font-mono [overflow-wrap:anywhere] max-sm:col-span-2 max-sm:row-start-2">
            {visit.address}
          </span>
          <span class="font-mono [overflow-wrap:anywhere] empty:hidden max-sm:col-span-2 max-sm:row-start-3 sm:col-start-3">
            {detailWords(visit)}
          </span>
          <span class="whitespace-nowrap text-soft max-sm:col-start-2 max-sm:row-start-1 sm:col-start-4">
            {logTime(visit.time, now.value)}
          </span>
        </li>
      ))}
    </ol>
  );
}
