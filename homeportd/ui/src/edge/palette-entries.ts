/** Entries of the palette on an edge. */

import type { Domain, Reservation, Tunnel } from "../api/types";
import { describeState } from "../model/domains";
import type { PaletteEntry } from "../model/palette-entry";
import { describeAudience, KIND_LABELS, labelOf } from "../model/tunnels";
import { navigate } from "../state/route";
import {
  check,
  confirmKill,
  confirmRemoveDomain,
  confirmRemoveReservation,
  copyAddress,
  editRules,
  openAddress,
} from "./edge-actions";
import { domains, reservations, tunnels } from "./edge-state";

export function paletteEntries(): PaletteEntry[] {
  const all = [...(tunnels.value?.values() ?? [])];
  return [
    page("Tunnels", "who holds which name, live", () => navigate({ name: "tunnels" })),
    page("Reservations", "names and ports that are kept", () => navigate({ name: "reservations" })),
    ...(domains.value === null
      ? []
      : [page("Domains", "your own, with their certificates", () => navigate({ name: "domains" }))]),
    page("Reserve a name or port", "HTTP, TCP, UDP", () =>
      navigate({ name: "reserve", kind: "http", label: "" }),
    ),
    ...(domains.value === null
      ? []
      : [page("Add a domain", "DNS, certificate", () => navigate({ name: "add-domain" }))]),
    ...all.flatMap(tunnelEntries),
    ...reservations.value.flatMap(reservationEntries),
    ...(domains.value ?? []).flatMap(domainEntries),
  ];
}

const page = (label: string, about: string, run: () => void): PaletteEntry => ({
  id: `edge ${label}`,
  label,
  about,
  run,
});

const entryMaker =
  (id: string, label: string, about: string) =>
  (verb: string, run: () => void): PaletteEntry => ({
    id: `${verb} ${id}`,
    label: `${verb} ${label}`,
    about,
    run,
  });

function tunnelEntries(tunnel: Tunnel): PaletteEntry[] {
  const about = ["tunnel", KIND_LABELS[tunnel.kind], tunnel.client, tunnel.state].filter(Boolean).join(" · ");
  const entry = entryMaker(tunnel.id, labelOf(tunnel), about);
  return [
    ...(tunnel.kind === "http" ? [entry("Open", () => openAddress(tunnel))] : []),
    entry("Copy address of", () => void copyAddress(tunnel)),
    entry("Chart and log of", () => navigate({ name: "tunnel", id: tunnel.id })),
    ...(tunnel.reserved ? [] : [entry("Reserve", () => editRules(tunnel))]),
    ...(tunnel.state === "live" ? [entry("Kill", () => confirmKill(tunnel))] : []),
  ];
}

function reservationEntries(reservation: Reservation): PaletteEntry[] {
  const entry = entryMaker(
    `reservation ${reservation.id}`,
    labelOf(reservation),
    `reservation · ${describeAudience(reservation)}`,
  );
  return [
    entry("Who may reach", () => navigate({ name: "reservation", id: reservation.id })),
    entry("Remove the reservation of", () => confirmRemoveReservation(reservation)),
  ];
}

function domainEntries(domain: Domain): PaletteEntry[] {
  const entry = entryMaker(
    `domain ${domain.domain}`,
    domain.domain,
    `domain · ${describeState(domain).label}`,
  );
  return [entry("Check", () => void check(domain)), entry("Remove", () => confirmRemoveDomain(domain))];
}
