import { useId } from "preact/hooks";

interface FieldProps {
  label: string;
  help?: string | undefined;
  problem?: string | undefined;
  value: string;
  onInput: (value: string) => void;
  style?: string;
  placeholder?: string;
  numeric?: boolean;
}

/** A line of text with its label above, and below it what helps or what is wrong. */
export function Field({
  label,
  help,
  problem,
  value,
  onInput,
  style = "",
  placeholder,
  numeric = false,
}: FieldProps) {
  const id = useId();
  return (
    <div>
      <label class="label" for={id}>
        {label}
      </label>
      <input
        id={id}
        class={`field ${style}`}
        inputMode={numeric ? "numeric" : "text"}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        placeholder={placeholder}
        value={value}
        aria-invalid={problem !== undefined}
        aria-describedby={`${id}-help`}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
      <p id={`${id}-help`} class={`mt-1 text-small empty:hidden ${problem ? "text-danger" : "text-soft"}`}>
        {problem ?? help}
      </p>
    </div>
  );
}
