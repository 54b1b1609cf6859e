/** Which sheet is open, in the address, so that links reach it and the back button closes it. */

import { computed, signal } from "@preact/signals";

export type Route =
  | { name: "list" }
  | { name: "share"; port: number }
  | { name: "log"; port: number }
  | { name: "settings" };

export function readRoute(hash: string): Route {
  const match = /^#\/ports\/(\d{1,5})\/(share|log)$/.exec(hash);
  if (match) return { name: match[2] as "share" | "log", port: Number(match[1]) };
  return hash === "#/settings" ? { name: "settings" } : { name: "list" };
}

export function routeHash(route: Route): string {
  if (route.name === "list") return "#/";
  return route.name === "settings" ? "#/settings" : `#/ports/${route.port}/${route.name}`;
}

const hash = signal(location.hash);
export const route = computed(() => readRoute(hash.value));

const read = () => {
  hash.value = location.hash;
};
window.addEventListener("hashchange", read);
window.addEventListener("popstate", read);

/** Opens a sheet. From one sheet to another takes the first's place, so that "back" always leads to the list. */
export function open(to: Route): void {
  const sheetIsOpen = route.peek().name !== "list";
  if (sheetIsOpen) history.replaceState(history.state, "", routeHash(to));
  else history.pushState({ fromList: true }, "", routeHash(to));
  read();
}

/** Back to the list: by the browser's own "back" where the list came before, so that no copy of it piles up. */
export function close(): void {
  if (route.peek().name === "list") return;
  if (history.state?.fromList === true) history.back();
  else {
    history.replaceState(null, "", "#/");
    read();
  }
}
