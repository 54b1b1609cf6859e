/** The places of the dashboard that this machine has. */

import { computed } from "@preact/signals";
import { status } from "./machine";
import { HOME, type Page, page } from "./route";

export type Place = "home" | "tunnels" | "settings";

/** A workstation has repos and ports, an edge has tunnels. */
export const places = computed((): Place[] => {
  const { edge, origin } = status.value ?? { edge: null, origin: "" };
  return [
    ...(origin === null ? [] : ["home" as const]),
    ...(edge === null ? [] : ["tunnels" as const]),
    "settings",
  ];
});

export function placeOf({ name }: Page): Place {
  if (name === "settings") return name;
  return name === "tunnels" || name === "reservations" || name === "domains" ? "tunnels" : "home";
}

/** The page that is asked for, or the first one where this machine does not have it. */
export const reachablePage = computed((): Page => {
  if (places.value.includes(placeOf(page.value))) return page.value;
  return places.value[0] === "tunnels" ? { name: "tunnels" } : HOME;
});
