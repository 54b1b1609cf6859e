/** The page and the sheet over it that are open, kept in the address: links lead to them, and "back" closes a sheet. */

import { computed, signal } from "@preact/signals";
import type { TunnelKind } from "../api/types";

export type TunnelPage = "tunnels" | "reservations" | "domains";

export type Page =
  | { name: "home" | "activity" | TunnelPage }
  | { name: "repo"; id: string }
  /** A terminal in a repo, whose id it is. */
  | { name: "terminal"; id: string }
  /** What a server prints. */
  | { name: "output"; id: string }
  /** `section`: the heading to begin with; empty for the first. */
  | { name: "settings"; section: string };

export type Sheet =
  | { name: "share" | "log"; port: number }
  | { name: "tunnel" | "reservation" | "server"; id: string }
  /** A new reservation, with the fields that are known. */
  | { name: "reserve"; kind: TunnelKind; label: string }
  | { name: "add-domain" | "clone" };

export type Route = Page | Sheet;

export const HOME: Page = { name: "home" };

/** Pages and sheets whose address is their name alone. */
const SIMPLE = ["activity", "tunnels", "reservations", "domains", "clone"] as const;

export function readRoute(hash: string): Route {
  const [root, page = "", first = "", second = "", third = "", ...rest] = hash.split("/");
  if (root !== "#" || rest.length > 0) return HOME;
  if (page === "ports" && /^\d{1,5}$/.test(first) && (second === "share" || second === "log") && third === "")
    return { name: second, port: Number(first) };
  if (page === "reservations" && first === "new") {
    const kind = second === "tcp" || second === "udp" ? second : "http";
    return { name: "reserve", kind, label: decode(third) };
  }
  if (page === "domains" && first === "new" && second === "") return { name: "add-domain" };
  if (page === "repos" && second === "terminal" && third === "")
    return { name: "terminal", id: decode(first) };
  if (page === "servers" && second === "output" && third === "") return { name: "output", id: decode(first) };
  if (second !== "") return HOME;
  if (page === "settings") return { name: "settings", section: decode(first) };
  if (first !== "") return readEntry(page, decode(first));
  // The address of the tokens' page that was.
  if (page === "tokens") return { name: "settings", section: "tokens" };
  return (SIMPLE as readonly string[]).includes(page) ? { name: page as (typeof SIMPLE)[number] } : HOME;
}

function readEntry(page: string, id: string): Route {
  if (page === "repos") return { name: "repo", id };
  if (page === "servers") return { name: "server", id };
  if (page === "tunnels") return { name: "tunnel", id };
  return page === "reservations" ? { name: "reservation", id } : HOME;
}

/** Decodes a part of an address, which may be typed and have a lone "%". */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function routeHash(route: Route): string {
  switch (route.name) {
    case "home":
      return "#/";
    case "share":
    case "log":
      return `#/ports/${route.port}/${route.name}`;
    case "repo":
    case "tunnel":
    case "reservation":
    case "server":
      return `#/${route.name}s/${encodeURIComponent(route.id)}`;
    case "terminal":
      return `#/repos/${encodeURIComponent(route.id)}/terminal`;
    case "output":
      return `#/servers/${encodeURIComponent(route.id)}/output`;
    case "settings":
      return `#/settings${route.section ? `/${encodeURIComponent(route.section)}` : ""}`;
    case "reserve":
      return `#/reservations/new/${route.kind}${route.label ? `/${encodeURIComponent(route.label)}` : ""}`;
    case "add-domain":
      return "#/domains/new";
    default:
      return `#/${route.name}`;
  }
}

/** The page of an address; for a sheet the one below it, `shown` where the sheet belongs there too. */
export function pageOf(route: Route, shown: Page): Page {
  switch (route.name) {
    case "share":
    case "log":
    case "server":
      return shown.name === "repo" || shown.name === "output" ? shown : HOME;
    case "tunnel":
      return { name: "tunnels" };
    case "reservation":
    case "reserve":
      return { name: "reservations" };
    case "add-domain":
      return { name: "domains" };
    case "clone":
      return HOME;
    default:
      return route;
  }
}

const isSheet = (route: Route): route is Sheet => pageOf(route, HOME) !== route;

const hash = signal(location.hash);
export const route = computed(() => readRoute(hash.value));

const shownPage = signal<Page>(pageOf(route.peek(), HOME));
/** The page that is shown, perhaps below a sheet. */
export const page: { readonly value: Page; peek: () => Page } = shownPage;

const read = () => {
  const before = page.peek();
  hash.value = location.hash;
  shownPage.value = pageOf(route.peek(), before);
  if (routeHash(before) !== routeHash(shownPage.peek())) window.scrollTo(0, 0);
};
window.addEventListener("hashchange", read);
window.addEventListener("popstate", read);

/** Opens a page or sheet. A sheet that is opened from another replaces it, so that "back" leads to the page. */
export function navigate(to: Route): void {
  if (isSheet(route.peek())) history.replaceState(history.state, "", routeHash(to));
  else history.pushState({ fromPage: isSheet(to) }, "", routeHash(to));
  read();
}

/** Closes the sheet: by the browser's "back" where the page came before, so that the history has it once. */
export function closeSheet(): void {
  if (!isSheet(route.peek())) return;
  if (history.state?.fromPage === true) history.back();
  else {
    history.replaceState(null, "", routeHash(page.peek()));
    read();
  }
}
