import type { ComponentChildren } from "preact";

interface Props {
  /** Unique on the page. */
  id: string;
  title: string;
  /** False for rows, which go to the edges. */
  padded?: boolean;
  /** At the right of the title. */
  actions?: ComponentChildren;
  children: ComponentChildren;
}

/** A part of a page under its heading. */
export function Block({ id, title, padded = true, actions, children }: Props) {
  return (
    <section aria-labelledby={id} class="rounded-box border border-line bg-paper">
      <div class="flex flex-wrap items-center gap-x-3 px-4 pt-2">
        <h3 id={id} class="flex min-h-9 flex-1 items-center font-semibold">
          {title}
        </h3>
        {actions}
      </div>
      <div class={padded ? "px-4 pb-4" : "pb-1.5"}>{children}</div>
    </section>
  );
}
