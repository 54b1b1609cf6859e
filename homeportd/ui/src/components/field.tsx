import { useId } from "preact/hooks";

interface FieldProps {
  label: string;
  help?: string | undefined;
  error?: string | undefined;
  value: string;
  onInput: (value: string) => void;
  style?: string;
  placeholder?: string;
  numeric?: boolean;
}

/** A text field with its label above, and help or an error below. */
export function Field({
  label,
  help,
  error,
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
        aria-invalid={error !== undefined}
        aria-describedby={`${id}-help`}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
      <p id={`${id}-help`} class={`mt-1 text-small empty:hidden ${error ? "text-danger" : "text-soft"}`}>
        {error ?? help}
      </p>
    </div>
  );
}
