import { useId } from "preact/hooks";
import type { ExpiryChoice as Choice, Expiry } from "../model/expiry";
import { toDateTimeLocal } from "../model/time-format";

const CHIPS: { choice: Choice; label: string }[] = [
  { choice: "1h", label: "1 h" },
  { choice: "24h", label: "24 h" },
  { choice: "7d", label: "7 d" },
  { choice: "never", label: "Never" },
  { choice: "custom", label: "Day and time" },
];

interface Props {
  expiry: Expiry;
  error: string | undefined;
  onChange: (expiry: Expiry) => void;
}

/** The choice of a share's expiry: a duration, never, or a day and a time. */
export function ExpiryChoice({ expiry, error, onChange }: Props) {
  const id = useId();
  return (
    <fieldset>
      <legend class="label">Ends after</legend>
      <div class="flex flex-wrap gap-2">
        {CHIPS.map(({ choice, label }) => (
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
            {label}
          </label>
        ))}
      </div>
      {expiry.choice === "custom" && (
        <input
          type="datetime-local"
          class="field mt-2 sm:w-64"
          aria-label="Day and time of the end"
          aria-invalid={error !== undefined}
          aria-describedby={id}
          min={toDateTimeLocal(new Date())}
          value={expiry.custom}
          onInput={(event) => onChange({ ...expiry, custom: event.currentTarget.value })}
        />
      )}
      <p id={id} class="mt-1 text-small text-danger empty:hidden">
        {error}
      </p>
    </fieldset>
  );
}
