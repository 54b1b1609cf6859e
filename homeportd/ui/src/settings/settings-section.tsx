import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { page } from "../state/route";

interface Props {
  /** Unique among the sections; the last part of the section's address. */
  id: string;
  title: string;
  about?: string | undefined;
  children?: ComponentChildren;
}

/** A block of the settings under a heading that has an address, which leads to it as soon as it is there. */
export function SettingsSection({ id, title, about, children }: Props) {
  const heading = useRef<HTMLHeadingElement>(null);
  const wanted = page.value.name === "settings" && page.value.section === id;
  useEffect(() => {
    if (!wanted) return;
    heading.current?.focus({ preventScroll: true });
    heading.current?.scrollIntoView({ block: "start" });
  }, [wanted]);
  return (
    <section
      id={`settings-${id}`}
      aria-labelledby={`settings-${id}-title`}
      class="rounded-box border border-line bg-paper p-4 sm:p-5"
    >
      <h3 ref={heading} id={`settings-${id}-title`} class="font-semibold outline-none" tabIndex={-1}>
        {title}
      </h3>
      {about && <p class="mt-1 mb-3 max-w-2xl text-soft">{about}</p>}
      {children}
    </section>
  );
}
