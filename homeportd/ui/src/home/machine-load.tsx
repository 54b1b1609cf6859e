import type { ComponentChildren } from "preact";
import { formatUsage } from "../model/byte-size";
import { cpuHistory, systemLoad } from "../state/machine";
import { Meter, Sparkline } from "./charts";

/** The load of the machine: CPU over the last minutes, memory and disk in use. */
export function MachineLoad() {
  const load = systemLoad.value;
  if (load === null) return null;
  return (
    <section aria-label="Load" class="mt-4 sm:mt-5">
      <dl class="grid grid-cols-[auto_auto_auto] justify-between gap-x-3 text-small sm:flex sm:justify-start sm:gap-x-8">
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
    </section>
  );
}

interface MetricProps {
  name: string;
  value: string;
  children: ComponentChildren;
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
