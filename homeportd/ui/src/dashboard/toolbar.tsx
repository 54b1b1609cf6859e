import { CommandIcon, GearIcon, SearchIcon } from "../components/icons";
import { isShared } from "../model/port-text";
import { edgePages } from "../state/edge-pages";
import { filter } from "../state/filter";
import { COMMAND_KEY, FILTER_ID, moveRow, paletteOpen } from "../state/keyboard";
import { portGroups, portsState } from "../state/port-state";
import { navigate, type PageName } from "../state/route";
import { shownPage } from "./nav";

const FILTER_LABELS: Record<PageName, string> = {
  list: "Filter ports and repos",
  tunnels: "Filter tunnels",
  reservations: "Filter reservations",
  domains: "Filter domains",
  tokens: "Filter tokens",
};

/** Filter, palette and settings: above the list, on a phone at the bottom, within the thumb's reach. */
export function Toolbar() {
  const page = shownPage();
  const edge = edgePages.value;
  return (
    <div class="mt-5 flex items-center gap-4 sm:mt-6">
      <p class="flex-1 text-soft">{page === "list" ? <Summary /> : edge && <edge.Summary page={page} />}</p>
      <search class="fixed inset-x-0 bottom-0 z-10 flex gap-2 border-t border-line bg-ground px-4 pt-2 pb-[max(0.5rem,env(safe-area-inset-bottom))] sm:static sm:border-0 sm:p-0">
        <div class="relative min-w-0 flex-1 sm:w-56">
          <span class="pointer-events-none absolute inset-y-0 left-2.5 flex items-center text-soft">
            <SearchIcon />
          </span>
          <input
            id={FILTER_ID}
            type="search"
            class="field border-line pl-9 sm:pr-8 [&::-webkit-search-cancel-button]:hidden"
            placeholder="Filter"
            aria-label={FILTER_LABELS[page]}
            autocomplete="off"
            value={filter.value}
            onInput={(event) => {
              filter.value = event.currentTarget.value;
            }}
            onKeyDown={onFilterKey}
          />
          <kbd class="pointer-events-none absolute inset-y-0 right-3 hidden items-center font-mono text-small text-soft sm:flex">
            /
          </kbd>
        </div>
        <button
          type="button"
          class="button-plain"
          onClick={() => {
            paletteOpen.value = true;
          }}
        >
          <span class="sm:hidden">
            <CommandIcon />
          </span>
          <span class="sr-only sm:not-sr-only">Commands</span>
          <kbd class="ml-1 hidden font-sans text-small text-soft sm:inline">{COMMAND_KEY}</kbd>
        </button>
        <button
          type="button"
          class="button-plain px-0"
          aria-label="Settings"
          onClick={() => navigate({ name: "settings" })}
        >
          <GearIcon />
        </button>
      </search>
    </div>
  );
}

function onFilterKey(event: KeyboardEvent & { currentTarget: HTMLInputElement }): void {
  if (event.key === "Escape") {
    filter.value = "";
    event.currentTarget.blur();
  } else if (event.key === "ArrowDown" || event.key === "Enter") moveRow(1);
  else return;
  event.preventDefault();
}

/** "4 ports running, 1 shared." */
function Summary() {
  const ports = [...portsState.value.ports.values()];
  const running = ports.filter((port) => port.listening).length;
  const shared = ports.filter(isShared).length;
  if (filter.value.trim() !== "") return <>{`${portGroups.value.count} of ${ports.length} ports`}</>;
  return (
    <>
      {running === 1 ? "1 port running" : `${running} ports running`}
      {shared > 0 ? `, ${shared} shared` : ""}
    </>
  );
}
