import type { ComponentChildren } from "preact";

interface Props {
  title: string;
  about: string;
  /** The exact way to the first entry. */
  children: ComponentChildren;
}

/** A page without entries: what will be here, and how to make the first one. */
export function EmptyPage({ title, about, children }: Props) {
  return (
    <section aria-labelledby="empty-page" class="rounded-box border border-line bg-paper p-4 sm:p-6">
      <h2 id="empty-page" class="text-title font-semibold">
        {title}
      </h2>
      <p class="mt-1 max-w-2xl text-soft">{about}</p>
      <div class="mt-5 max-w-2xl space-y-4">{children}</div>
    </section>
  );
}
