/** Actions on tunnels, reservations and domains, for buttons, menus, keys and the palette alike. */

import type { Domain, Reservation, Tunnel } from "../api/types";
import { copyText } from "../browser/clipboard";
import { notify } from "../browser/notices";
import { toSentence } from "../model/sentence";
import { type Endpoint, labelOf } from "../model/tunnels";
import { attempt } from "../net/attempt";
import { navigate } from "../state/route";
import { checkDomain, killTunnel, removeDomain, removeReservation } from "./edge-api";
import {
  changeReservations,
  confirmation,
  domains,
  loadReservations,
  reservations,
  tunnels,
} from "./edge-state";

export async function copyAddress(endpoint: Endpoint): Promise<void> {
  const done = await copyText(endpoint.address);
  notify(done ? `Address of ${labelOf(endpoint)} copied.` : `Copy this: ${endpoint.address}`);
}

/** Opens the address of an HTTP name in a tab of its own. */
export function openAddress(endpoint: Endpoint): void {
  window.open(endpoint.address, "_blank", "noopener");
}

export function confirmKill(tunnel: Tunnel): void {
  const label = labelOf(tunnel);
  const clientLabel = tunnel.client ?? "its client";
  confirmation.value = {
    title: `Kill ${label}?`,
    text:
      `Whoever is connected is cut off now, and ${clientLabel} does not open it again by itself. ` +
      (tunnel.reserved ? "The reservation stays." : "It is not reserved, so that others may take it."),
    confirmLabel: `Kill ${label}`,
    run: async () => {
      await killTunnel(tunnel.id);
      notify(`${label} is no longer live.`);
    },
  };
}

export function confirmRemoveReservation(reservation: Reservation): void {
  const label = labelOf(reservation);
  confirmation.value = {
    title: `Remove the reservation of ${label}?`,
    text:
      (reservation.live ? "The tunnel goes on until its client ends it. " : "") +
      "Its networks, limits and passcode are forgotten, and any token may take it.",
    confirmLabel: "Remove it",
    run: async () => {
      await removeReservation(reservation.id);
      changeReservations((before) => before.filter((each) => each.id !== reservation.id));
      notify(`${label} is no longer reserved.`);
      void loadReservations();
    },
  };
}

export function confirmRemoveDomain(domain: Domain): void {
  confirmation.value = {
    title: `Remove ${domain.domain}?`,
    text: `It no longer leads to ${domain.name}; who opens it is told that there is no such tunnel. Its DNS record is yours to delete.`,
    confirmLabel: "Remove it",
    run: async () => {
      await removeDomain(domain.domain);
      domains.value = (domains.peek() ?? []).filter((each) => each.domain !== domain.domain);
      notify(`${domain.domain} leads nowhere now.`);
    },
  };
}

/** Has the agent check DNS and the certificate now. */
export async function check(domain: Domain): Promise<void> {
  notify(`Asking DNS about ${domain.domain} …`);
  await attempt(
    async () => {
      const checked = await checkDomain(domain.domain);
      domains.value = (domains.peek() ?? []).map((each) => (each.domain === checked.domain ? checked : each));
      notify(
        checked.state === domain.state
          ? `${domain.domain}: nothing has changed.`
          : `${domain.domain} was checked.`,
      );
    },
    (problem) => notify(`${toSentence(problem.title)} ${problem.fix}`),
  );
}

/** Opens the sheet of the tunnel's reservation, or that of a new one where the tunnel is not reserved. */
export function editRules(tunnel: Tunnel): void {
  if (tunnel.reserved) navigate({ name: "reservation", id: tunnel.id });
  else navigate({ name: "reserve", kind: tunnel.kind, label: labelOf(tunnel) });
}

/** Keys on a row: `l` opens the log, `c` copies the address, `e` opens the rules. Returns false for any other. */
export function onRowKey(row: string, key: string): boolean {
  const [kind, id = ""] = row.split(" ", 2);
  const tunnel = kind === "tunnel" ? tunnels.peek()?.get(id) : undefined;
  const reservation = kind === "reservation" ? reservations.peek().find((each) => each.id === id) : undefined;
  const endpoint = tunnel ?? reservation;
  if (endpoint === undefined) return false;
  if (key === "l") navigate({ name: "tunnel", id });
  else if (key === "c") void copyAddress(endpoint);
  else if (key === "e" && tunnel !== undefined) editRules(tunnel);
  else if (key === "e") navigate({ name: "reservation", id });
  else return false;
  return true;
}
