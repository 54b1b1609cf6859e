/** The edge's part of the API. */

import type {
  Domain,
  Minute,
  Reservation,
  ReservationRequest,
  RulesRequest,
  Tunnel,
  Visit,
} from "../model/types";
import { call, Problem } from "../net/client";

const path = (room: string, id: string) => `/api/${room}/${encodeURIComponent(id)}`;

export const getTunnels = () => call<Tunnel[]>("GET", "/api/tunnels");
export const killTunnel = (id: string) => call<void>("DELETE", path("tunnels", id));
export const getMinutes = (id: string) => call<Minute[]>("GET", `${path("tunnels", id)}/minutes?hours=1`);

/** One page of the access log, newest first, older than row `before` when that is given. */
export function getVisits(id: string, limit: number, before?: number): Promise<Visit[]> {
  const older = before === undefined ? "" : `&before=${before}`;
  return call<Visit[]>("GET", `${path("tunnels", id)}/logs?limit=${limit}${older}`);
}

export const getReservations = () => call<Reservation[]>("GET", "/api/reservations");
export const reserve = (request: ReservationRequest) =>
  call<Reservation>("POST", "/api/reservations", request);
export const changeReservation = (id: string, rules: RulesRequest) =>
  call<Reservation>("PUT", path("reservations", id), rules);
export const removeReservation = (id: string) => call<void>("DELETE", path("reservations", id));

/** Null where this edge cannot map domains. */
export async function getDomains(): Promise<Domain[] | null> {
  try {
    return await call<Domain[]>("GET", "/api/domains");
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return null;
    throw error;
  }
}

export const addDomain = (domain: string, name: string) =>
  call<Domain>("POST", "/api/domains", { domain, name });
export const checkDomain = (domain: string) => call<Domain>("POST", `${path("domains", domain)}/check`);
export const removeDomain = (domain: string) => call<void>("DELETE", path("domains", domain));
