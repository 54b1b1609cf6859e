import type { JSX } from "preact";
import type { ShareMode } from "../api/types";
import { GlobeIcon, KeyIcon, LockIcon } from "../components/icons";
import { MODE_LABELS } from "../model/port-text";

const CHOICES: { mode: ShareMode; line: string; icon: () => JSX.Element; chosen: string }[] = [
  {
    mode: "private",
    line: "Only you, once you are logged in.",
    icon: LockIcon,
    chosen: "has-checked:border-private has-checked:text-private",
  },
  {
    mode: "password",
    line: "Whoever has the link and the password.",
    icon: KeyIcon,
    chosen: "has-checked:border-password has-checked:text-password",
  },
  {
    mode: "public",
    line: "Whoever has the link.",
    icon: GlobeIcon,
    chosen: "has-checked:border-public has-checked:text-public",
  },
];

/** The choice of a share's mode, with a line about each. */
export function ModeChoice({ mode, onChange }: { mode: ShareMode; onChange: (mode: ShareMode) => void }) {
  return (
    <fieldset>
      <legend class="label">Who may see it</legend>
      <div class="grid gap-2 sm:grid-cols-3">
        {CHOICES.map((choice) => (
          <label
            key={choice.mode}
            class={`relative flex items-start gap-3 rounded-box border border-line p-3 outline-offset-2 outline-accent has-checked:shadow-[inset_0_0_0_1px_currentColor] has-focus-visible:outline-2 hover:bg-hover sm:flex-col sm:gap-1.5 ${choice.chosen}`}
          >
            <input
              type="radio"
              name="mode"
              value={choice.mode}
              class="sr-only"
              checked={mode === choice.mode}
              onChange={() => onChange(choice.mode)}
            />
            <choice.icon />
            <span>
              <span class="block font-semibold">{MODE_LABELS[choice.mode]}</span>
              <span class="block text-small text-soft">{choice.line}</span>
            </span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
