import { useEffect, useState } from "preact/hooks";
import { agentWords, decisionWords, wasLetIn } from "../model/describe";
import { type Log, PAGE, withNewest, withOlder } from "../model/log";
import type { Access } from "../model/types";
import { logTime } from "../model/when";
import { getLog, type Problem } from "../net/client";
import { Dialog } from "../parts/dialog";
import { ProblemBox } from "../parts/problem-box";
import { attempt } from "../state/attempt";
import { announce } from "../state/notice";
import { close } from "../state/route";
import { lost, now, onAccess } from "../state/store";

const BURST_MS = 250;

/** Who came to a port and what was decided, newest first; new visits appear as they happen. */
export function AccessLog({ number }: { number: number }) {
  const [log, setLog] = useState<Log<Access> | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);

  const load = (before?: number) =>
    attempt(async () => {
      const page = await getLog(number, PAGE, before);
      setLog((known) =>
        before === undefined || known === null ? withNewest(known, page) : withOlder(known, page),
      );
      setProblem(null);
    }, setProblem);
  const connected = lost.value === null;
  // Visits are not replayed after a break, so the newest page is fetched again.
  useEffect(() => {
    if (connected) void load();
  }, [number, connected]);
  useEffect(() => {
    // A visit has no id before it is on disk, so its coming is only the sign to fetch; a burst is fetched at once.
    let timer = 0;
    const forget = onAccess((access) => {
      if (access.port !== number) return;
      announce(`${decisionWords(access.decision)}, from ${access.address}.`);
      if (timer !== 0) return;
      timer = window.setTimeout(() => {
        timer = 0;
        void load();
      }, BURST_MS);
    });
    return () => {
      forget();
      window.clearTimeout(timer);
    };
  }, [number]);

  return (
    <Dialog
      title={`Access log of ${number}`}
      about="Newest first, as it happens"
      width="sm:max-w-4xl"
      onClose={close}
    >
      {problem && <ProblemBox problem={problem} />}
      {log === null && !problem && <p class="text-soft">Fetching the last {PAGE} visits …</p>}
      {log?.rows.length === 0 && (
        <p class="text-soft">
          Nobody has come yet. Each visitor who is let in or turned away gets a line here.
        </p>
      )}
      {log !== null && log.rows.length > 0 && <Rows rows={log.rows} />}
      {log?.more && (
        <button
          type="button"
          class="button-plain mt-4 max-sm:w-full"
          onClick={() => void load(log.rows.at(-1)?.id)}
        >
          Show {PAGE} older
        </button>
      )}
    </Dialog>
  );
}

/** A table, and on a phone a list of cards from the same cells. */
function Rows({ rows }: { rows: readonly Access[] }) {
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
              {logTime(row.time, now.value)}
            </td>
            <td
              role="cell"
              class={`${cell} ${wasLetIn(row.decision) ? "text-public" : "text-danger"} font-medium max-sm:row-start-1 sm:whitespace-nowrap`}
            >
              {decisionWords(row.decision)}
            </td>
            <td role="cell" class={`${cell} max-sm:col-span-2`}>
              <span class="font-mono [overflow-wrap:anywhere]">{row.address}</span>{" "}
              <span class="text-soft" title={row.user_agent ?? undefined}>
                {agentWords(row.user_agent)}
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
