/** What the palette offers on an edge. */

import { stateOf } from "../model/domains";
import { audienceWords, KIND_WORDS, labelOf } from "../model/tunnels";
import type { Domain, Reservation, Tunnel } from "../model/types";
import type { Entry } from "../palette/entries";
import { open } from "../state/route";
import { askToKill, askToRemove, askToRemoveDomain, check, copyAddress, editRules, visit } from "./actions";
import { domains, reservations, tunnels } from "./state";

export function entries(): Entry[] {
  const live = [...(tunnels.value?.values() ?? [])];
  return [
    page("Tunnels", "who holds which name, live", () => open({ name: "tunnels" })),
    page("Reservations", "names and ports that are kept", () => open({ name: "reservations" })),
    ...(domains.value === null
      ? []
      : [page("Domains", "your own, with their certificates", () => open({ name: "domains" }))]),
    page("Tokens", "for clients and scripts", () => open({ name: "tokens" })),
    page("Reserve a name or port", "HTTP, TCP, UDP", () =>
      open({ name: "reserve", kind: "http", label: "" }),
    ),
    ...(domains.value === null
      ? []
      : [page("Add a domain", "DNS, certificate", () => open({ name: "add-domain" }))]),
    ...live.flatMap(tunnelEntries),
    ...reservations.value.flatMap(reservationEntries),
    ...(domains.value ?? []).flatMap(domainEntries),
  ];
}

const page = (label: string, about: string, run: () => void): Entry => ({
  id: `edge ${label}`,
  label,
  about,
  run,
});

const maker =
  (id: string, label: string, about: string) =>
  (verb: string, run: () => void): Entry => ({ id: `${verb} ${id}`, label: `${verb} ${label}`, about, run });

function tunnelEntries(tunnel: Tunnel): Entry[] {
  const about = ["tunnel", KIND_WORDS[tunnel.kind], tunnel.client, tunnel.state].filter(Boolean).join(" · ");
  const entry = maker(tunnel.id, labelOf(tunnel), about);
  return [
    ...(tunnel.kind === "http" ? [entry("Open", () => visit(tunnel))] : []),
    entry("Copy address of", () => void copyAddress(tunnel)),
    entry("Chart and log of", () => open({ name: "tunnel", id: tunnel.id })),
    ...(tunnel.reserved ? [] : [entry("Reserve", () => editRules(tunnel))]),
    ...(tunnel.state === "live" ? [entry("Kill", () => askToKill(tunnel))] : []),
  ];
}

function reservationEntries(reservation: Reservation): Entry[] {
  const entry = maker(
    `reservation ${reservation.id}`,
    labelOf(reservation),
    `reservation · ${audienceWords(reservation)}`,
  );
  return [
    entry("Who may reach", () => open({ name: "reservation", id: reservation.id })),
    entry("Remove the reservation of", () => askToRemove(reservation)),
  ];
}

function domainEntries(domain: Domain): Entry[] {
  const entry = maker(`domain ${domain.domain}`, domain.domain, `domain · ${stateOf(domain).word}`);
  return [entry("Check", () => void check(domain)), entry("Remove", () => askToRemoveDomain(domain))];
}
