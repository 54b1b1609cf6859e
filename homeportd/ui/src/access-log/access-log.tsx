import { useEffect } from "preact/hooks";
import type { AccessLogRow } from "../api/types";
import { announce } from "../browser/notices";
import { Dialog } from "../components/dialog";
import { ProblemBox } from "../components/problem-box";
import { describeDecision, describeUserAgent, wasAllowed } from "../model/access-text";
import { PAGE_SIZE } from "../model/log-window";
import { formatLogTime } from "../model/time-format";
import { getAccessLog } from "../net/agent-api";
import { now } from "../state/clock";
import { onEvent } from "../state/events";
import { useLiveLog } from "../state/live-log";
import { closeSheet } from "../state/route";

/** The access log of a port as a sheet. */
export function AccessLogSheet({ number }: { number: number }) {
  return (
    <Dialog
      title={`Access log of ${number}`}
      about="Newest first, as it happens"
      width="sm:max-w-4xl"
      onClose={closeSheet}
    >
      <AccessLog number={number} />
    </Dialog>
  );
}

/** The access log of a port, newest row first; new rows appear as they are written. */
export function AccessLog({ number }: { number: number }) {
  const { log, problem, loadOlder } = useLiveLog<AccessLogRow>(
    number,
    (before) => getAccessLog(number, PAGE_SIZE, before),
    (event) => event.type === "access" && event.data.port === number,
  );
  useEffect(
    () =>
      onEvent((event) => {
        if (event.type === "access" && event.data.port === number)
          announce(`${describeDecision(event.data.decision)}, from ${event.data.address}.`);
      }),
    [number],
  );

  return (
    <>
      {problem && <ProblemBox problem={problem} />}
      {log === null && !problem && <p class="text-soft">Fetching the last {PAGE_SIZE} visits …</p>}
      {log?.rows.length === 0 && (
        <p class="text-soft">
          Nobody has come yet. Each visitor who is let in or turned away gets a line here.
        </p>
      )}
      {log !== null && log.rows.length > 0 && <Rows rows={log.rows} />}
      {log?.more && (
        <button type="button" class="button-plain mt-4 max-sm:w-full" onClick={loadOlder}>
          Show {PAGE_SIZE} older
        </button>
      )}
    </>
  );
}

/** The rows as a table; on a phone each row is a card. */
function Rows({ rows }: { rows: readonly AccessLogRow[] }) {
  const head = "pb-1.5 pr-4 font-medium";
  const cell = "sm:border-t sm:border-line sm:py-1.5 sm:pr-4 sm:align-baseline";
  // The roles are spelled out because `display: block` takes them from a table.
  return (
    <table role="table" class="w-full text-small max-sm:block">
      <thead role="rowgroup" class="text-left text-soft max-sm:sr-only">
        <tr role="row">
          <th role="columnheader" class={head}>
            Time
          </th>
          <th role="columnheader" class={head}>
            Decision
          </th>
          <th role="columnheader" class={head}>
            From
          </th>
          <th role="columnheader" class={head}>
            Asked for
          </th>
        </tr>
      </thead>
      <tbody role="rowgroup" class="max-sm:block">
        {rows.map((row) => (
          <tr
            role="row"
            key={row.id}
            class="appear max-sm:grid max-sm:grid-cols-[1fr_auto] max-sm:gap-x-3 max-sm:border-t max-sm:border-line max-sm:py-2"
          >
            <td
              role="cell"
              class={`${cell} whitespace-nowrap max-sm:col-start-2 max-sm:row-start-1 max-sm:text-soft`}
            >
              {formatLogTime(row.time, now.value)}
            </td>
            <td
              role="cell"
              class={`${cell} ${wasAllowed(row.decision) ? "text-public" : "text-danger"} font-medium max-sm:row-start-1 sm:whitespace-nowrap`}
            >
              {describeDecision(row.decision)}
            </td>
            <td role="cell" class={`${cell} max-sm:col-span-2`}>
              <span class="font-mono [overflow-wrap:anywhere]">{row.address}</span>{" "}
              <span class="text-soft" title={row.user_agent ?? undefined}>
                {describeUserAgent(row.user_agent)}
              </span>
            </td>
            <td role="cell" class={`${cell} font-mono [overflow-wrap:anywhere] max-sm:col-span-2`}>
              {row.method} {row.path}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
