/** The requests of an edge's dashboard. Each throws Problem. */

import type { ConnectionLogRow, Domain, ReservationRequest, RulesRequest } from "../api/types";
import { call } from "../net/call";
import { Problem } from "../net/problem";

export const getTunnels = () => call("get", "/api/tunnels");
export const killTunnel = (id: string) =>
  call("delete", "/api/tunnels/{tunnel_id}", { path: { tunnel_id: id } });
/** The traffic of the last hour. */
export const getTrafficMinutes = (id: string) =>
  call("get", "/api/tunnels/{tunnel_id}/minutes", { path: { tunnel_id: id }, query: { hours: 1 } });

/** One page of a tunnel's connection log, newest first, older than row `before` when that is given. */
export const getConnectionLog = (id: string, limit: number, before?: ConnectionLogRow["id"]) =>
  call("get", "/api/tunnels/{tunnel_id}/logs", {
    path: { tunnel_id: id },
    query: { limit, before: before ?? null },
  });

export const getReservations = () => call("get", "/api/reservations");
export const createReservation = (body: ReservationRequest) => call("post", "/api/reservations", { body });
export const changeReservation = (id: string, body: RulesRequest) =>
  call("put", "/api/reservations/{tunnel_id}", { path: { tunnel_id: id }, body });
export const removeReservation = (id: string) =>
  call("delete", "/api/reservations/{tunnel_id}", { path: { tunnel_id: id } });

/** Null where this edge cannot map domains. */
export async function getDomains(): Promise<Domain[] | null> {
  try {
    return await call("get", "/api/domains");
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return null;
    throw error;
  }
}

export const addDomain = (domain: string, name: string) =>
  call("post", "/api/domains", { body: { domain, name } });
export const checkDomain = (domain: string) =>
  call("post", "/api/domains/{domain}/check", { path: { domain } });
export const removeDomain = (domain: string) => call("delete", "/api/domains/{domain}", { path: { domain } });
