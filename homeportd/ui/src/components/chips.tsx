import { useId } from "preact/hooks";

interface Props<T extends string> {
  legend: string;
  chips: readonly { value: T; label: string }[];
  value: T;
  onChange: (value: T) => void;
}

/** A choice among a few short options. */
export function Chips<T extends string>({ legend, chips, value, onChange }: Props<T>) {
  const name = useId();
  return (
    <fieldset>
      <legend class="label">{legend}</legend>
      <div class="flex flex-wrap gap-2">
        {chips.map((chip) => (
          <label
            key={chip.value}
            class="target relative flex items-center rounded-box border border-line px-3.5 outline-offset-2 outline-accent has-checked:border-accent has-checked:bg-accent-wash has-checked:font-medium has-checked:text-accent has-focus-visible:outline-2 hover:bg-hover has-checked:hover:bg-accent-wash"
          >
            <input
              type="radio"
              name={name}
              value={chip.value}
              class="sr-only"
              checked={chip.value === value}
              onChange={() => onChange(chip.value)}
            />
            {chip.label}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
