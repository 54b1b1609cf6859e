import { formatUsage } from "../model/byte-size";
import { cpuHistory, status, systemLoad } from "../state/machine";
import { Meter, Sparkline } from "./charts";

/** The machine's name and its load. */
export function Header() {
  const load = systemLoad.value;
  const { hostname = "", user = "" } = status.value ?? {};
  return (
    <header class="flex flex-wrap items-center gap-x-8 gap-y-3 pt-4 sm:pt-6">
      <h1 class="flex min-w-0 items-center gap-2.5">
        <img src="/favicon.svg" alt="" class="size-7" />
        <span class="truncate text-title font-semibold">{hostname}</span>
        <span class="text-small text-soft max-[22rem]:hidden">{user}</span>
      </h1>
      {load && (
        <dl class="grid w-full grid-cols-[auto_auto_auto] justify-between gap-x-3 text-small sm:ml-auto sm:flex sm:w-auto sm:gap-x-8">
          <Metric name="CPU" value={`${Math.round(load.cpu_percent)} %`}>
            <Sparkline points={cpuHistory.value} />
          </Metric>
          <Metric name="RAM" value={formatUsage(load.memory.used, load.memory.total)}>
            <Meter used={load.memory.used} total={load.memory.total} />
          </Metric>
          <Metric name="Disk" value={formatUsage(load.disk.used, load.disk.total)}>
            <Meter used={load.disk.used} total={load.disk.total} />
          </Metric>
        </dl>
      )}
    </header>
  );
}

interface MetricProps {
  name: string;
  value: string;
  children: preact.ComponentChildren;
}

/** A chart with its name at one end and its value at the other. */
function Metric({ name, value, children }: MetricProps) {
  return (
    <div class="grid content-start items-center gap-x-2 sm:grid-flow-col">
      <dt class="text-soft">{name}</dt>
      <dd class="contents">
        {children}
        <span class="whitespace-nowrap sm:min-w-[4ch]">{value}</span>
      </dd>
    </div>
  );
}
