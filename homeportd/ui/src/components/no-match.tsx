import type { Signal } from "@preact/signals";

/** Shown in place of a list of `what` of which nothing matches the filter. */
export function NoMatch({ what, filter }: { what: string; filter: Signal<string> }) {
  return (
    <div class="py-10 text-center">
      <p>
        No {what} matches “<span class="[overflow-wrap:anywhere]">{filter.value.trim()}</span>”.
      </p>
      <button
        type="button"
        class="button-plain mt-3"
        onClick={() => {
          filter.value = "";
        }}
      >
        Clear the filter
      </button>
    </div>
  );
}
