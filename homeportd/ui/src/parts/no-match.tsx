import { filter } from "../state/store";

/** The filter leaves nothing of a list of `what`. */
export function NoMatch({ what }: { what: string }) {
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
