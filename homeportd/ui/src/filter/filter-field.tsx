import { SearchIcon } from "../components/icons";
import { filter } from "../state/filter";
import { FILTER_ID, moveRow } from "../state/keyboard";

/** The field that filters the list below it; the key `/` leads here. */
export function FilterField({ label }: { label: string }) {
  return (
    <search class="relative min-w-0 flex-1 basis-40 sm:max-w-56">
      <span class="pointer-events-none absolute inset-y-0 left-2.5 flex items-center text-soft">
        <SearchIcon />
      </span>
      <input
        id={FILTER_ID}
        type="search"
        class="field border-line pl-9 sm:pr-8 [&::-webkit-search-cancel-button]:hidden"
        placeholder="Filter"
        aria-label={label}
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
    </search>
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
