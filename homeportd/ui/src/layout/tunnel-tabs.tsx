import { FilterField } from "../filter/filter-field";
import { MachineLoad } from "../home/machine-load";
import { edgePages } from "../state/edge-pages";
import { status } from "../state/machine";
import { routeHash, type TunnelPage } from "../state/route";

const LABELS: Record<TunnelPage, string> = {
  tunnels: "Live",
  reservations: "Reservations",
  domains: "Domains",
};

/** The lists of an edge as tabs, with the filter; an edge alone has its load here, since it has no home. */
export function TunnelTabs({ page }: { page: TunnelPage }) {
  const edge = edgePages.value;
  const shown: TunnelPage[] = [
    "tunnels",
    "reservations",
    ...(edge?.hasDomains() || page === "domains" ? ["domains" as const] : []),
  ];
  return (
    <>
      {status.value?.origin === null && <MachineLoad />}
      <nav aria-label="Tunnels" class="mt-5 border-b border-line">
        <ul class="flex gap-1">
          {shown.map((name) => (
            <li key={name}>
              <a
                href={routeHash({ name })}
                aria-current={name === page ? "page" : undefined}
                class="button -mb-px rounded-none border-b-2 border-transparent px-3 text-soft hover:text-ink aria-[current]:border-accent aria-[current]:text-accent max-[22rem]:px-2"
              >
                {LABELS[name]}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <div class="mt-4 flex flex-wrap items-center gap-x-3 gap-y-2">
        <p class="flex-1 text-soft max-sm:basis-full">{edge && <edge.Summary page={page} />}</p>
        <FilterField label={`Filter ${page}`} />
      </div>
    </>
  );
}
