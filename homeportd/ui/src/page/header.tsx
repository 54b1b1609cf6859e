import { shareOfSize } from "../model/describe";
import { cpuHistory, status, system } from "../state/store";
import { Meter, Sparkline } from "./charts";

/** The machine's name and one quiet line of how it is. */
export function Header() {
  const vitals = system.value;
  const { hostname = "", user = "" } = status.value ?? {};
  return (
    <header class="flex flex-wrap items-center gap-x-8 gap-y-3 pt-4 sm:pt-6">
      <h1 class="flex min-w-0 items-center gap-2.5">
        <img src="/favicon.svg" alt="" class="size-7" />
        <span class="truncate text-title font-semibold">{hostname}</span>
        <span class="text-small text-soft max-[22rem]:hidden">{user}</span>
      </h1>
      {vitals && (
        <dl class="grid w-full grid-cols-[auto_auto_auto] justify-between gap-x-3 text-small sm:ml-auto sm:flex sm:w-auto sm:gap-x-8">
          <Vital name="CPU" value={`${Math.round(vitals.cpu_percent)} %`}>
            <Sparkline points={cpuHistory.value} />
          </Vital>
          <Vital name="RAM" value={shareOfSize(vitals.memory.used, vitals.memory.total)}>
            <Meter used={vitals.memory.used} total={vitals.memory.total} />
          </Vital>
          <Vital name="Disk" value={shareOfSize(vitals.disk.used, vitals.disk.total)}>
            <Meter used={vitals.disk.used} total={vitals.disk.total} />
          </Vital>
        </dl>
      )}
    </header>
  );
}

interface VitalProps {
  name: string;
  value: string;
  children: preact.ComponentChildren;
}

/** A chart with its name at one end and its value at the other. */
function Vital({ name, value, children }: VitalProps) {
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
