import { useLayoutEffect, useRef } from "preact/hooks";
import { edgePart } from "../state/edge";
import { type PageName, page, routeHash } from "../state/route";
import { status } from "../state/store";

/** The pages of a machine that is an edge; a workstation alone has one, and no need to choose. */
export function Nav() {
  const { edge, origin } = status.value ?? { edge: null, origin: null };
  if (edge === null) return null;
  const pages: { name: PageName; words: string }[] = [
    ...(origin === null ? [] : [{ name: "list" as const, words: "Ports" }]),
    { name: "tunnels", words: "Tunnels" },
    { name: "reservations", words: "Reservations" },
    ...(edgePart.value?.hasDomains() ? [{ name: "domains" as const, words: "Domains" }] : []),
    { name: "tokens", words: "Tokens" },
  ];
  const here = shownPage();
  const list = useRef<HTMLUListElement>(null);
  // On a narrow phone they do not all fit; the edge of the next one shows that there are more.
  useLayoutEffect(() => {
    list.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [here, pages.length]);
  return (
    <nav aria-label="Pages" class="mt-4 -mb-1 overflow-x-auto max-sm:-mx-4 max-sm:px-4">
      <ul ref={list} class="flex w-max gap-1">
        {pages.map(({ name, words }) => (
          <li key={name}>
            <a
              href={routeHash({ name })}
              aria-current={name === here ? "page" : undefined}
              class="button px-2.5 text-soft hover:bg-hover aria-[current]:bg-accent-wash aria-[current]:text-accent max-[22rem]:px-1.5 sm:px-3"
            >
              {words}
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
