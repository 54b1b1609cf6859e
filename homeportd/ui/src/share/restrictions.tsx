import { useEffect, useState } from "preact/hooks";
import { Check } from "../components/check";
import { Field } from "../components/field";
import { ChevronIcon } from "../components/icons";
import type { ShareDraft, ShareDraftErrors } from "../model/share-draft";

const below = (url: string): string => `foo.${url.replace(/^https?:\/\//, "")}`;

interface Props {
  /** The port's own address. */
  url: string;
  draft: ShareDraft;
  errors: ShareDraftErrors;
  onChange: (part: Partial<ShareDraft>) => void;
}

/** Further options of a share; folded away while none is set. */
export function Restrictions({ url, draft, errors, onChange }: Props) {
  const [open, setOpen] = useState(
    draft.networks !== "" || draft.maxUses !== "" || draft.hostHeader !== "" || draft.subdomains,
  );
  const hasError =
    errors.networks !== undefined || errors.maxUses !== undefined || errors.hostHeader !== undefined;
  // Opens for a field with an error, and stays open when that is corrected.
  useEffect(() => {
    if (hasError) setOpen(true);
  }, [hasError]);
  return (
    <details class="group" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary class="target -ml-1 flex w-fit items-center gap-1 rounded-box pr-2 text-accent hover:bg-accent-wash">
        <span class="transition-transform duration-100 group-open:rotate-90">
          <ChevronIcon />
        </span>
        More options
      </summary>
      <div class="mt-2 space-y-4">
        <Field
          label="Allowed networks"
          help="Addresses or CIDR blocks, such as 203.0.113.7 or 10.0.0.0/8. Empty: from anywhere."
          error={errors.networks}
          value={draft.networks}
          onInput={(networks) => onChange({ networks })}
          style="font-mono"
        />
        {draft.mode === "password" && (
          <Field
            label="How often the password works"
            help="Counted since the last change. Empty: as often as wanted."
            error={errors.maxUses}
            value={draft.maxUses}
            onInput={(maxUses) => onChange({ maxUses })}
            style="sm:w-40"
            numeric
          />
        )}
        <Field
          label="Name that the server sees"
          help="Empty: localhost, which dev servers accept. keep: the public name, for one that builds whole addresses from it. Or another name, such as myapp.test:3000."
          error={errors.hostHeader}
          value={draft.hostHeader}
          onInput={(hostHeader) => onChange({ hostHeader })}
          style="font-mono"
          placeholder="localhost"
        />
        <Check
          label={`Names below it lead here too, such as ${below(url)}`}
          checked={draft.subdomains}
          onChange={(subdomains) => onChange({ subdomains })}
        />
      </div>
    </details>
  );
}
