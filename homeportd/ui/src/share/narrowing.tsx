import { useEffect, useState } from "preact/hooks";
import type { Draft, DraftProblems } from "../model/draft";
import { Field } from "../parts/field";
import { ChevronIcon } from "../parts/icons";

interface Props {
  draft: Draft;
  problems: DraftProblems;
  onChange: (part: Partial<Draft>) => void;
}

/** What narrows a share further; folded away until it is used. */
export function Narrowing({ draft, problems, onChange }: Props) {
  const [open, setOpen] = useState(draft.networks !== "" || draft.maxUses !== "");
  const wrong = problems.networks !== undefined || problems.maxUses !== undefined;
  // A field in red is brought to light; it stays so once it is right again.
  useEffect(() => {
    if (wrong) setOpen(true);
  }, [wrong]);
  return (
    <details class="group" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary class="target -ml-1 flex w-fit items-center gap-1 rounded-box pr-2 text-accent hover:bg-accent-wash">
        <span class="transition-transform duration-100 group-open:rotate-90">
          <ChevronIcon />
        </span>
        Narrow it further
      </summary>
      <div class="mt-2 space-y-4">
        <Field
          label="Allowed networks"
          help="Addresses or CIDR blocks, such as 203.0.113.7 or 10.0.0.0/8. Empty: from anywhere."
          problem={problems.networks}
          value={draft.networks}
          onInput={(networks) => onChange({ networks })}
          style="font-mono"
        />
        {draft.mode === "password" && (
          <Field
            label="How often the password works"
            help="Counted since the last change. Empty: as often as wanted."
            problem={problems.maxUses}
            value={draft.maxUses}
            onInput={(maxUses) => onChange({ maxUses })}
            style="sm:w-40"
            numeric
          />
        )}
      </div>
    </details>
  );
}
