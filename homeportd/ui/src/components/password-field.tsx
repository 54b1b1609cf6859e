import { useId, useState } from "preact/hooks";
import { CopyButton } from "./copy-button";

interface Props {
  label: string;
  value: string;
  onInput: (value: string) => void;
  /** For the browser's password manager. */
  autocomplete: "current-password" | "new-password" | "off";
  help?: string | undefined;
  error?: string | undefined;
  /** Makes a password; without it there is no such button. */
  generate?: () => string;
  /** Whether to show a copy button, for a password that is given to others. */
  copies?: boolean;
}

/** A password field with a button that shows the password, and perhaps buttons that make and copy one. */
export function PasswordField({
  label,
  value,
  onInput,
  autocomplete,
  help,
  error,
  generate,
  copies = false,
}: Props) {
  const [shown, setShown] = useState(false);
  const id = useId();
  return (
    <div>
      <label class="label" for={id}>
        {label}
      </label>
      <div class="flex gap-2">
        <div class="relative min-w-0 flex-1">
          <input
            id={id}
            class="field pr-16 font-mono"
            // Preact's types tie the other attributes to one fixed type.
            {...({ type: shown ? "text" : "password" } as { type: "password" })}
            value={value}
            autocomplete={autocomplete}
            autocapitalize="off"
            spellcheck={false}
            aria-invalid={error !== undefined}
            aria-describedby={`${id}-help`}
            onInput={(event) => onInput(event.currentTarget.value)}
          />
          <button
            type="button"
            class="target absolute inset-y-0 right-0 px-3 text-small font-medium text-accent"
            aria-pressed={shown}
            aria-label="Show the password"
            onClick={() => setShown(!shown)}
          >
            {shown ? "Hide" : "Show"}
          </button>
        </div>
        {copies && value !== "" && <CopyButton text={value} what="the password" />}
        {generate && value === "" && (
          <button
            type="button"
            class="button-plain"
            onClick={() => {
              setShown(true);
              onInput(generate());
            }}
          >
            Generate
          </button>
        )}
      </div>
      <p id={`${id}-help`} class={`text-small ${error ? "mt-1 text-danger" : help ? "mt-1 text-soft" : ""}`}>
        {error ?? help}
      </p>
    </div>
  );
}
