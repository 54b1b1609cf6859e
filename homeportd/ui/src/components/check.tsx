interface Props {
  label: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
}

/** A checkbox with its label. */
export function Check({ label, checked, onChange }: Props) {
  return (
    <label class="target flex w-fit items-center gap-2.5 [overflow-wrap:anywhere]">
      <input
        type="checkbox"
        class="size-5 shrink-0 accent-accent"
        checked={checked}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
      {label}
    </label>
  );
}
