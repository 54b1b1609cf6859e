/** The page and the sheet over it that are open, kept in the address: links lead to them, and "back" closes a sheet. */

import { computed, signal } from "@preact/signals";
import type { TunnelKind } from "../api/types";

export type PageName = "list" | "tunnels" | "reservations" | "domains" | "tokens";

export type Route =
  | { name: PageName }
  | { name: "share" | "log"; port: number }
  | { name: "tunnel" | "reservation"; id: string }
  /** A new reservation, with the fields that are known. */
  | { name: "reserve"; kind: TunnelKind; label: string }
  | { name: "add-domain" }
  | { name: "settings" };

const PAGES: readonly string[] = ["tunnels", "reservations", "domains", "tokens"];

export function readRoute(hash: string): Route {
  const [root, page = "", first = "", second = "", third = "", ...rest] = hash.split("/");
  if (root !== "#" || rest.length > 0) return { name: "list" };
  if (page === "ports" && /^\d{1,5}$/.test(first) && (second === "share" || second === "log") && third === "")
    return { name: second, port: Number(first) };
  if (page === "reservations" && first === "new") {
    const kind = second === "tcp" || second === "udp" ? second : "http";
    return { name: "reserve", kind, label: decode(third) };
  }
  if (page === "domains" && first === "new" && second === "") return { name: "add-domain" };
  if (second !== "") return { name: "list" };
  if (page === "tunnels" && first !== "") return { name: "tunnel", id: decode(first) };
  if (page === "reservations" && first !== "") return { name: "reservation", id: decode(first) };
  if (first !== "") return { name: "list" };
  if (page === "settings") return { name: "settings" };
  return PAGES.includes(page) ? { name: page as PageName } : { name: "list" };
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
    case "list":
      return "#/";
    case "share":
    case "log":
      return `#/ports/${route.port}/${route.name}`;
    case "tunnel":
    case "reservation":
      return `#/${route.name}s/${encodeURIComponent(route.id)}`;
    case "reserve":
      return `#/reservations/new/${route.kind}${route.label ? `/${encodeURIComponent(route.label)}` : ""}`;
    case "add-domain":
      return "#/domains/new";
    default:
      return `#/${route.name}`;
  }
}

/** The page below a sheet; null for the settings, which lie over any page. */
export function pageOf(route: Route): PageName | null {
  switch (route.name) {
    case "share":
    case "log":
      return "list";
    case "tunnel":
      return "tunnels";
    case "reservation":
    case "reserve":
      return "reservations";
    case "add-domain":
      return "domains";
    case "settings":
      return null;
    default:
      return route.name;
  }
}

const hash = signal(location.hash);
export const route = computed(() => readRoute(hash.value));

const pageBelow = signal<PageName>("list");
/** The page that is shown, perhaps below a sheet. */
export const page = computed(() => pageOf(route.value) ?? pageBelow.value);

const read = () => {
  const before = page.peek();
  hash.value = location.hash;
  pageBelow.value = pageOf(route.peek()) ?? before;
};
window.addEventListener("hashchange", read);
window.addEventListener("popstate", read);

const isSheet = (of: Route): boolean => pageOf(of) !== of.name;

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
    history.replaceState(null, "", routeHash({ name: page.peek() }));
    read();
  }
}
