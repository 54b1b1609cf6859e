import { useEffect, useState } from "preact/hooks";
import type { ConnectionLogRow, TrafficMinute, Tunnel } from "../api/types";
import { Dialog } from "../components/dialog";
import { ProblemBox } from "../components/problem-box";
import { appendOlder, type LogWindow, mergeNewest, PAGE_SIZE } from "../model/log-window";
import { describeActivity, describeAudience, describeLimits, describeRates, labelOf } from "../model/tunnels";
import { attempt } from "../net/attempt";
import type { Problem } from "../net/problem";
import { disconnection } from "../state/agent";
import { onEvent } from "../state/events";
import { closeSheet } from "../state/route";
import { ConnectionLog } from "./connection-log";
import { getConnectionLog, getTrafficMinutes } from "./edge-api";
import { agentNow, secondsClock, shownTunnels } from "./edge-state";
import { Address } from "./endpoint-row";
import { TrafficChart } from "./traffic-chart";

const BURST_MS = 250;
const CHART_MS = 10_000;

/** One tunnel: its traffic now and in the last hour, and its connection log, updated as events come. */
export function TunnelSheet({ id }: { id: string }) {
  const tunnel = shownTunnels.value.get(id);
  const [log, setLog] = useState<LogWindow<ConnectionLogRow> | null>(null);
  const [minutes, setMinutes] = useState<TrafficMinute[] | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);

  const run = (work: () => Promise<void>) =>
    attempt(async () => {
      await work();
      setProblem(null);
    }, setProblem);
  const loadLog = (before?: number) =>
    run(async () => {
      const page = await getConnectionLog(id, PAGE_SIZE, before);
      setLog((known) =>
        before === undefined || known === null ? mergeNewest(known, page) : appendOlder(known, page),
      );
    });
  const loadMinutes = () => run(async () => setMinutes(await getTrafficMinutes(id)));

  const connected = disconnection.value === null;
  useEffect(() => {
    if (!connected) return;
    void loadLog();
    void loadMinutes();
    const timer = window.setInterval(() => !document.hidden && void loadMinutes(), CHART_MS);
    return () => window.clearInterval(timer);
  }, [id, connected]);
  useEffect(() => {
    // The row of an event has no id yet, so the event is only the sign to read the log; a burst is read at once.
    let timer = 0;
    const unsubscribe = onEvent((event) => {
      if (event.type !== "tunnel.visit" || event.data.tunnel !== id || timer !== 0) return;
      timer = window.setTimeout(() => {
        timer = 0;
        void loadLog();
        void loadMinutes();
      }, BURST_MS);
    });
    return () => {
      unsubscribe();
      window.clearTimeout(timer);
    };
  }, [id]);

  return (
    <Dialog
      title={tunnel ? `Tunnel ${labelOf(tunnel)}` : "Tunnel"}
      about={tunnel ? describeAudience(tunnel) : undefined}
      width="sm:max-w-4xl"
      onClose={closeSheet}
    >
      <div class="space-y-6">
        {tunnel && <Facts tunnel={tunnel} />}
        {problem && <ProblemBox problem={problem} />}
        {minutes && <TrafficChart minutes={minutes} now={agentNow()} />}
        <section aria-labelledby="visits">
          <h3 id="visits" class="mb-1.5 font-semibold">
            Who came
          </h3>
          {log === null && !problem && <p class="text-soft">Fetching the last {PAGE_SIZE} visits …</p>}
          {log?.rows.length === 0 && (
            <p class="text-soft">Nobody has come yet. Each visitor gets a line here.</p>
          )}
          {log !== null && log.rows.length > 0 && <ConnectionLog rows={log.rows} />}
          {log?.more && (
            <button
              type="button"
              class="button-plain mt-4 max-sm:w-full"
              onClick={() => void loadLog(log.rows.at(-1)?.id)}
            >
              Show {PAGE_SIZE} older
            </button>
          )}
        </section>
      </div>
    </Dialog>
  );
}

/** The state of the tunnel now, in two lines. */
function Facts({ tunnel }: { tunnel: Tunnel }) {
  const line = [
    ...(tunnel.state === "live"
      ? [tunnel.links === 1 ? "1 connection to the edge" : `${tunnel.links} connections to the edge`]
      : []),
    ...(tunnel.round_trip_ms === null
      ? []
      : [`${tunnel.round_trip_ms.toFixed(1)} ms to its client and back`]),
    describeLimits(tunnel.limits),
    tunnel.proxy_protocol ? `tells its server who comes by PROXY ${tunnel.proxy_protocol}` : "",
    tunnel.subdomains ? "takes names below its own, too" : "",
    tunnel.reserved ? "reserved" : "not reserved",
  ];
  return (
    <div class="sm:-mt-1">
      <Address endpoint={tunnel} />
      <p>
        {describeActivity(tunnel, secondsClock.value)}
        {tunnel.state === "live" && ` · ${describeRates(tunnel)}`}
      </p>
      <p class="text-small text-soft">{line.filter(Boolean).join(" · ")}</p>
    </div>
  );
}
