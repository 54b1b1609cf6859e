import { useEffect, useState } from "preact/hooks";
import { type Log, PAGE, withNewest, withOlder } from "../model/log";
import { audienceWords, holderWords, labelOf, limitWords, rateWords } from "../model/tunnels";
import type { Minute, Tunnel, Visit } from "../model/types";
import type { Problem } from "../net/client";
import { Dialog } from "../parts/dialog";
import { ProblemBox } from "../parts/problem-box";
import { attempt } from "../state/attempt";
import { close } from "../state/route";
import { lost } from "../state/store";
import { getMinutes, getVisits } from "./calls";
import { HourChart } from "./chart";
import { Address } from "./parts";
import { agentNow, onVisit, second, shownTunnels } from "./state";
import { Visits } from "./visits";

const BURST_MS = 250;
const CHART_MS = 10_000;

/** What moves through a tunnel, its last hour, and who came, as it happens. */
export function TunnelSheet({ id }: { id: string }) {
  const tunnel = shownTunnels.value.get(id);
  const [log, setLog] = useState<Log<Visit> | null>(null);
  const [minutes, setMinutes] = useState<Minute[] | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);

  const run = (work: () => Promise<void>) =>
    attempt(async () => {
      await work();
      setProblem(null);
    }, setProblem);
  const loadLog = (before?: number) =>
    run(async () => {
      const page = await getVisits(id, PAGE, before);
      setLog((known) =>
        before === undefined || known === null ? withNewest(known, page) : withOlder(known, page),
      );
    });
  const loadMinutes = () => run(async () => setMinutes(await getMinutes(id)));

  const connected = lost.value === null;
  useEffect(() => {
    if (!connected) return;
    void loadLog();
    void loadMinutes();
    const timer = window.setInterval(() => !document.hidden && void loadMinutes(), CHART_MS);
    return () => window.clearInterval(timer);
  }, [id, connected]);
  useEffect(() => {
    // A visit has no id before it is on disk, so its coming is only the sign to fetch; a burst is fetched at once.
    let timer = 0;
    const forget = onVisit((visit) => {
      if (visit.tunnel !== id || timer !== 0) return;
      timer = window.setTimeout(() => {
        timer = 0;
        void loadLog();
        void loadMinutes();
      }, BURST_MS);
    });
    return () => {
      forget();
      window.clearTimeout(timer);
    };
  }, [id]);

  return (
    <Dialog
      title={tunnel ? `Tunnel ${labelOf(tunnel)}` : "Tunnel"}
      about={tunnel ? audienceWords(tunnel) : undefined}
      width="sm:max-w-4xl"
      onClose={close}
    >
      <div class="space-y-6">
        {tunnel && <Facts tunnel={tunnel} />}
        {problem && <ProblemBox problem={problem} />}
        {minutes && <HourChart minutes={minutes} now={agentNow()} />}
        <section aria-labelledby="visits">
          <h3 id="visits" class="mb-1.5 font-semibold">
            Who came
          </h3>
          {log === null && !problem && <p class="text-soft">Fetching the last {PAGE} visits …</p>}
          {log?.rows.length === 0 && (
            <p class="text-soft">Nobody has come yet. Each visitor gets a line here.</p>
          )}
          {log !== null && log.rows.length > 0 && <Visits rows={log.rows} />}
          {log?.more && (
            <button
              type="button"
              class="button-plain mt-4 max-sm:w-full"
              onClick={() => void loadLog(log.rows.at(-1)?.id)}
            >
              Show {PAGE} older
            </button>
          )}
        </section>
      </div>
    </Dialog>
  );
}

/** The truth about it now, in two lines. */
function Facts({ tunnel }: { tunnel: Tunnel }) {
  const line = [
    ...(tunnel.state === "live"
      ? [tunnel.links === 1 ? "1 connection to the edge" : `${tunnel.links} connections to the edge`]
      : []),
    ...(tunnel.round_trip_ms === null
      ? []
      : [`${tunnel.round_trip_ms.toFixed(1)} ms to its client and back`]),
    limitWords(tunnel.limits),
    tunnel.reserved ? "reserved" : "not reserved",
  ];
  return (
    <div class="sm:-mt-1">
      <Address place={tunnel} />
      <p>
        {holderWords(tunnel, second.value)}
        {tunnel.state === "live" && ` · ${rateWords(tunnel)}`}
      </p>
      <p class="text-small text-soft">{line.filter(Boolean).join(" · ")}</p>
    </div>
  );
}
