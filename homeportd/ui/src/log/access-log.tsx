import { useEffect, useState } from "preact/hooks";
import { agentWords, decisionWords, wasLetIn } from "../model/describe";
import type { Access } from "../model/types";
import { logTime } from "../model/when";
import { getLog, Problem } from "../net/client";
import { Dialog } from "../parts/dialog";
import { ProblemBox } from "../parts/problem-box";
import { announce } from "../state/notice";
import { close } from "../state/route";
import { fail, lost, now, onAccess } from "../state/store";

const PAGE = 50;
/** The page keeps no more rows than this; older ones are fetched again by asking for them. */
const MOST = 1000;

/** Who came to a port and what was decided, newest first; new visits appear as they happen. */
export function AccessLog({ number }: { number: number }) {
  const [rows, setRows] = useState<Access[] | null>(null);
  const [more, setMore] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);

  const load = async (before?: number) => {
    try {
      const page = await getLog(number, PAGE, before);
      setRows((known) => merged(page, known ?? []));
      setMore(page.length === PAGE);
      setProblem(null);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.status === 401) fail(error);
      else setProblem(error);
    }
  };
  const connected = lost.value === null;
  // Visits are not replayed after a break, so the newest page is fetched again.
  useEffect(() => {
    if (connected) void load();
  }, [number, connected]);
  useEffect(
    () =>
      onAccess((access) => {
        if (access.port !== number) return;
        setRows((known) => merged([access], known ?? []));
        announce(`${decisionWords(access.decision)}, from ${access.address}.`);
      }),
    [number],
  );

  return (
    <Dialog
      title={`Access log of ${number}`}
      about="Newest first, as it happens"
      width="sm:max-w-4xl"
      onClose={close}
    >
      {problem && <ProblemBox problem={problem} />}
      {rows === null && !problem && <p class="text-soft">Fetching the last {PAGE} visits …</p>}
      {rows?.length === 0 && (
        <p class="text-soft">
          Nobody has come yet. Each visitor who is let in or turned away gets a line here.
        </p>
      )}
      {rows !== null && rows.length > 0 && <Rows rows={rows} />}
      {more && (
        <button
          type="button"
          class="button-plain mt-4 max-sm:w-full"
          onClick={() => void load(rows?.at(-1)?.id)}
        >
          Show {PAGE} older
        </button>
      )}
    </Dialog>
  );
}

/** Both lists in one, newest first, each entry once. */
function merged(fresh: Access[], known: Access[]): Access[] {
  const byId = new Map([...known, ...fresh].map((row) => [row.id, row]));
  return [...byId.values()].sort((a, b) => b.id - a.id).slice(0, MOST);
}

/** A table, and on a phone a list of cards from the same cells. */
function Rows({ rows }: { rows: Access[] }) {
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
