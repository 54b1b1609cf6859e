/** A reservation while it is made or changed: its fields, what is wrong, the request, and the effect as a sentence. */

import type {
  EdgeStatus,
  Reservation,
  ReservationRequest,
  RulesRequest,
  Tunnel,
  TunnelKind,
} from "../api/types";
import { parseNetworks } from "./networks";
import { describeNetworks, KIND_LABELS, labelOf } from "./tunnels";

const MIN_RATE_KB = 1; // a second: the edge's own minimum is 1024 bytes
const MAX_CONNECTIONS = 100_000;
const MAX_RATE_KB = 2 ** 40;
const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i;

export interface ReservationDraft {
  kind: TunnelKind;
  /** Name or port; empty: the edge chooses. */
  label: string;
  /** Id of the token that owns the reservation; empty: the first token that uses it. */
  token: string;
  networks: string;
  connections: string;
  /** In kB a second, each direction. */
  rate: string;
  passcode: string;
  hasPasscode: boolean;
  /** Whether to remove the passcode that is set. */
  removePasscode: boolean;
  /** Whether names below its own lead there too. */
  subdomains: boolean;
}

export type ReservationDraftErrors = Partial<Record<"label" | "networks" | "connections" | "rate", string>>;

export const newReservationDraft = (kind: TunnelKind = "http", label = ""): ReservationDraft => ({
  kind,
  label,
  token: "",
  networks: "",
  connections: "",
  rate: "",
  passcode: "",
  hasPasscode: false,
  removePasscode: false,
  subdomains: false,
});

export function reservationDraftOf(reservation: Reservation): ReservationDraft {
  const { connections, bytes_per_second } = reservation.limits;
  return {
    ...newReservationDraft(reservation.kind, labelOf(reservation)),
    networks: reservation.allow.join(", "),
    connections: connections === null ? "" : String(connections),
    rate: bytes_per_second === null ? "" : String(Math.round((bytes_per_second / 1024) * 1000) / 1000),
    hasPasscode: reservation.passcode,
    subdomains: reservation.subdomains,
  };
}

export function validateReservationDraft(
  draft: ReservationDraft,
  edge: Pick<EdgeStatus, "tcp_ports" | "udp_ports">,
): ReservationDraftErrors {
  const errors: ReservationDraftErrors = {};
  const label = draft.label.trim();
  if (label !== "" && draft.kind === "http" && !NAME.test(label)) {
    errors.label = "Write one label of letters, digits and hyphens, such as myapp.";
  }
  if (label !== "" && draft.kind !== "http") {
    const span = draft.kind === "tcp" ? edge.tcp_ports : edge.udp_ports;
    const [first = 1, last = first] = span.split("-").map(Number);
    const port = Number(label);
    if (!/^\d+$/.test(label) || port < first || port > last) {
      errors.label = `Write a port of this edge's range, ${span.replace("-", " to ")}.`;
    }
  }
  const networks = parseNetworks(draft.networks).error;
  if (networks !== null) errors.networks = networks;
  if (!isCount(draft.connections, MAX_CONNECTIONS)) {
    errors.connections = "Write a whole number from 1, or leave it empty for no limit.";
  }
  const rate = draft.rate.trim();
  if (rate !== "" && !(Number(rate) >= MIN_RATE_KB && Number(rate) <= MAX_RATE_KB)) {
    errors.rate = "Write a number from 1, or leave it empty for no limit.";
  }
  return errors;
}

function isCount(text: string, most: number): boolean {
  if (text.trim() === "") return true;
  const number = Number(text);
  return Number.isInteger(number) && number >= 1 && number <= most;
}

/** The body that changes a reservation. Without `passcode`, the passcode that is set stays. */
export function rulesRequestOf(draft: ReservationDraft): RulesRequest {
  const rate = draft.rate.trim();
  const rules: RulesRequest = {
    allow: parseNetworks(draft.networks).networks,
    limits: {
      connections: draft.connections.trim() === "" ? null : Number(draft.connections),
      bytes_per_second: rate === "" ? null : Math.round(Number(rate) * 1024),
    },
  };
  if (draft.kind !== "http") return rules;
  rules.subdomains = draft.subdomains;
  if (draft.removePasscode) return { ...rules, passcode: null };
  return draft.passcode === "" ? rules : { ...rules, passcode: draft.passcode };
}

/** The body that makes a reservation of a draft without errors. */
export function reservationRequestOf(draft: ReservationDraft): ReservationRequest {
  const label = draft.label.trim();
  return {
    ...rulesRequestOf(draft),
    kind: draft.kind,
    ...(label === "" ? {} : draft.kind === "http" ? { name: label.toLowerCase() } : { port: Number(label) }),
    ...(draft.token === "" ? {} : { token: draft.token }),
  };
}

/** The rules that the connected client adds to the reservation's: visitors must meet both. Empty where it adds none. */
export function describeClientRules(reservation: Reservation, tunnel: Tunnel | undefined): string {
  if (tunnel?.state !== "live") return "";
  const own = tunnel.allow.filter((network) => !reservation.allow.includes(network));
  const groups = [
    ...(tunnel.passcode && !reservation.passcode ? ["those with a passcode of its own"] : []),
    ...(own.length > 0 ? [`those ${describeNetworks(own)}`] : []),
  ];
  return groups.length === 0 ? "" : `The client that has it now lets in only ${groups.join(" and ")}.`;
}

/** The effect of the draft: "Anyone with the passcode can open myapp, from 10.0.0.0/8 only." */
export function describeReservationDraft(draft: ReservationDraft): string {
  const label = draft.label.trim();
  const what =
    draft.kind === "http"
      ? label || "a name that the edge chooses"
      : label
        ? `${KIND_LABELS[draft.kind]} port ${label}`
        : `a ${KIND_LABELS[draft.kind]} port that the edge chooses`;
  const hasPasscode =
    draft.kind === "http" && (draft.passcode !== "" || (draft.hasPasscode && !draft.removePasscode));
  const { networks } = parseNetworks(draft.networks);
  const from =
    networks.length === 0
      ? ""
      : networks.length === 1
        ? `, from ${networks[0]} only`
        : `, from ${networks.length} networks only`;
  return `${hasPasscode ? "Anyone with the passcode" : "Anyone"} can open ${what}${from}, while a client holds it.`;
}
