import { useLayoutEffect, useRef } from "preact/hooks";
import { edgePages } from "../state/edge-pages";
import { status } from "../state/machine";
import { type PageName, page, routeHash } from "../state/route";

/** Links to the pages of a machine that is an edge; a workstation alone has one page. */
export function Nav() {
  const { edge, origin } = status.value ?? { edge: null, origin: null };
  if (edge === null) return null;
  const pages: { name: PageName; label: string }[] = [
    ...(origin === null ? [] : [{ name: "list" as const, label: "Ports" }]),
    { name: "tunnels", label: "Tunnels" },
    { name: "reservations", label: "Reservations" },
    ...(edgePages.value?.hasDomains() ? [{ name: "domains" as const, label: "Domains" }] : []),
    { name: "tokens", label: "Tokens" },
  ];
  const shown = shownPage();
  const list = useRef<HTMLUListElement>(null);
  // On a narrow phone not all links fit; the cut-off one shows that there are more.
  useLayoutEffect(() => {
    list.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [shown, pages.length]);
  return (
    <nav aria-label="Pages" class="mt-4 -mb-1 overflow-x-auto max-sm:-mx-4 max-sm:px-4">
      <ul ref={list} class="flex w-max gap-1">
        {pages.map(({ name, label }) => (
          <li key={name}>
            <a
              href={routeHash({ name })}
              aria-current={name === shown ? "page" : undefined}
              class="button px-2.5 text-soft hover:bg-hover aria-[current]:bg-accent-wash aria-[current]:text-accent max-[22rem]:px-1.5 sm:px-3"
            >
              {label}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

/** The page to show: on an edge that is no workstation the tunnels come first, elsewhere there are ports alone. */
export function shownPage(): PageName {
  const { edge, origin } = status.value ?? { edge: null, origin: "" };
  if (edge === null) return "list";
  return page.value === "list" && origin === null ? "tunnels" : page.value;
}
