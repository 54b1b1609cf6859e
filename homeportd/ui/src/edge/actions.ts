/** What a person can do with tunnels, reservations and domains, from whichever button, key or palette entry. */

import { asSentence } from "../model/sentence";
import { labelOf } from "../model/tunnels";
import type { Domain, Reservation, Tunnel } from "../model/types";
import { copyText } from "../state/actions";
import { attempt } from "../state/attempt";
import { notify } from "../state/notice";
import { open } from "../state/route";
import { checkDomain, killTunnel, removeDomain, removeReservation } from "./calls";
import { changeReservations, domains, loadReservations, question, reservations, tunnels } from "./state";

interface Addressed {
  name: string | null;
  port: number | null;
  address: string;
}

export async function copyAddress(place: Addressed): Promise<void> {
  const done = await copyText(place.address);
  notify(done ? `Address of ${labelOf(place)} copied.` : `Copy this: ${place.address}`);
}

/** Opens an HTTP name in a tab of its own. */
export function visit(place: Addressed): void {
  window.open(place.address, "_blank", "noopener");
}

export function askToKill(tunnel: Tunnel): void {
  const label = labelOf(tunnel);
  const whose = tunnel.client ?? "its client";
  question.value = {
    title: `Kill ${label}?`,
    text:
      `Whoever is connected is cut off now, and ${whose} does not open it again by itself. ` +
      (tunnel.reserved ? "The reservation stays." : "It is not reserved, so that others may take it."),
    yes: `Kill ${label}`,
    run: async () => {
      await killTunnel(tunnel.id);
      notify(`${label} is no longer live.`);
    },
  };
}

export function askToRemove(reservation: Reservation): void {
  const label = labelOf(reservation);
  question.value = {
    title: `Remove the reservation of ${label}?`,
    text:
      (reservation.live ? "The tunnel goes on until its client ends it. " : "") +
      "Its networks, limits and passcode are forgotten, and any token may take it.",
    yes: "Remove it",
    run: async () => {
      await removeReservation(reservation.id);
      changeReservations((before) => before.filter((each) => each.id !== reservation.id));
      notify(`${label} is no longer reserved.`);
      void loadReservations();
    },
  };
}

export function askToRemoveDomain(domain: Domain): void {
  question.value = {
    title: `Remove ${domain.domain}?`,
    text: `It no longer leads to ${domain.name}; who opens it is told that there is no such tunnel. Its DNS record is yours to delete.`,
    yes: "Remove it",
    run: async () => {
      await removeDomain(domain.domain);
      domains.value = (domains.peek() ?? []).filter((each) => each.domain !== domain.domain);
      notify(`${domain.domain} leads nowhere now.`);
    },
  };
}

/** Looks at DNS and the certificate now. */
export async function check(domain: Domain): Promise<void> {
  notify(`Asking DNS about ${domain.domain} …`);
  await attempt(
    async () => {
      const fresh = await checkDomain(domain.domain);
      domains.value = (domains.peek() ?? []).map((each) => (each.domain === fresh.domain ? fresh : each));
      notify(
        fresh.state === domain.state
          ? `${domain.domain}: nothing has changed.`
          : `${domain.domain} was checked.`,
      );
    },
    (problem) => notify(`${asSentence(problem.title)} ${problem.fix}`),
  );
}

/** To the reservation's rules, or to a new one where the name is not kept yet. */
export function editRules(tunnel: Tunnel): void {
  if (tunnel.reserved) open({ name: "reservation", id: tunnel.id });
  else open({ name: "reserve", kind: tunnel.kind, label: labelOf(tunnel) });
}

/** `l` shows the log, `c` copies the address, `e` changes who may; false where a key means nothing. */
export function onRowKey(row: string, key: string): boolean {
  const [room, id = ""] = row.split(" ", 2);
  const tunnel = room === "tunnel" ? tunnels.peek()?.get(id) : undefined;
  const kept = room === "reservation" ? reservations.peek().find((each) => each.id === id) : undefined;
  const place = tunnel ?? kept;
  if (place === undefined) return false;
  if (key === "l") open({ name: "tunnel", id });
  else if (key === "c") void copyAddress(place);
  else if (key === "e" && tunnel !== undefined) editRules(tunnel);
  else if (key === "e") open({ name: "reservation", id });
  else return false;
  return true;
}
