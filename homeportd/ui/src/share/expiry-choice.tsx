import { useId } from "preact/hooks";
import type { ExpiryChoice as Choice, Expiry } from "../model/expiry";
import { toLocalInput } from "../model/when";

const CHIPS: { choice: Choice; words: string }[] = [
  { choice: "1h", words: "1 h" },
  { choice: "24h", words: "24 h" },
  { choice: "7d", words: "7 d" },
  { choice: "never", words: "Never" },
  { choice: "custom", words: "Day and time" },
];

interface Props {
  expiry: Expiry;
  problem: string | undefined;
  onChange: (expiry: Expiry) => void;
}

/** When the share ends: a chip, or a day and a time. */
export function ExpiryChoice({ expiry, problem, onChange }: Props) {
  const id = useId();
  return (
    <fieldset>
      <legend class="label">Ends after</legend>
      <div class="flex flex-wrap gap-2">
        {CHIPS.map(({ choice, words }) => (
          <label
            key={choice}
            class="target relative flex items-center rounded-box border border-line px-3.5 outline-offset-2 outline-accent has-checked:border-accent has-checked:bg-accent-wash has-checked:font-medium has-checked:text-accent has-focus-visible:outline-2 hover:bg-hover has-checked:hover:bg-accent-wash"
          >
            <input
              type="radio"
              name="expiry"
              value={choice}
              class="sr-only"
              checked={expiry.choice === choice}
              onChange={() => onChange({ ...expiry, choice })}
            />
            {words}
          </label>
        ))}
      </div>
      {expiry.choice === "custom" && (
        <input
          type="datetime-local"
          class="field mt-2 sm:w-64"
          aria-label="Day and time of the end"
          aria-invalid={problem !== undefined}
          aria-describedby={id}
          min={toLocalInput(new Date())}
          value={expiry.custom}
          onInput={(event) => onChange({ ...expiry, custom: event.currentTarget.value })}
        />
      )}
      <p id={id} class="mt-1 text-small text-danger empty:hidden">
        {problem}
      </p>
    </fieldset>
  );
}
