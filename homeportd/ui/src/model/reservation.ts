/** A reservation as it is being made or changed, and the words for what it will do. */

import { readNetworks } from "./networks";
import { KIND_WORDS, labelOf, networkWords } from "./tunnels";
import type { EdgeInfo, Kind, Reservation, ReservationRequest, RulesRequest, Tunnel } from "./types";

const LEAST_KB = 1; // of a rate: the edge takes 1024 bytes a second and more
const MOST_CONNECTIONS = 100_000;
const MOST_KB = 2 ** 40;
const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i;

export interface Draft {
  kind: Kind;
  /** Empty: the edge chooses. */
  label: string;
  /** Id of the token it is for; empty: of the first that uses it. */
  token: string;
  networks: string;
  connections: string;
  /** In kB a second, each direction. */
  rate: string;
  passcode: string;
  hasPasscode: boolean;
  /** Take away the passcode that is set. */
  open: boolean;
}

export type Problems = Partial<Record<"label" | "networks" | "connections" | "rate", string>>;

export const newDraft = (kind: Kind = "http", label = ""): Draft => ({
  kind,
  label,
  token: "",
  networks: "",
  connections: "",
  rate: "",
  passcode: "",
  hasPasscode: false,
  open: false,
});

export function draftOf(reservation: Reservation): Draft {
  const { connections, bytes_per_second } = reservation.limits;
  return {
    ...newDraft(reservation.kind, labelOf(reservation)),
    networks: reservation.allow.join(", "),
    connections: connections === null ? "" : String(connections),
    rate: bytes_per_second === null ? "" : String(Math.round((bytes_per_second / 1024) * 1000) / 1000),
    hasPasscode: reservation.passcode,
  };
}

export function problemsOf(draft: Draft, edge: Pick<EdgeInfo, "tcp_ports" | "udp_ports">): Problems {
  const problems: Problems = {};
  const label = draft.label.trim();
  if (label !== "" && draft.kind === "http" && !NAME.test(label)) {
    problems.label = "Write one label of letters, digits and hyphens, such as myapp.";
  }
  if (label !== "" && draft.kind !== "http") {
    const span = draft.kind === "tcp" ? edge.tcp_ports : edge.udp_ports;
    const [first = 1, last = first] = span.split("-").map(Number);
    const port = Number(label);
    if (!/^\d+$/.test(label) || port < first || port > last) {
      problems.label = `Write a port of this edge's range, ${span.replace("-", " to ")}.`;
    }
  }
  const networks = readNetworks(draft.networks).problem;
  if (networks !== null) problems.networks = networks;
  if (!isCount(draft.connections, MOST_CONNECTIONS)) {
    problems.connections = "Write a whole number from 1, or leave it empty for no limit.";
  }
  const rate = draft.rate.trim();
  if (rate !== "" && !(Number(rate) >= LEAST_KB && Number(rate) <= MOST_KB)) {
    problems.rate = "Write a number from 1, or leave it empty for no limit.";
  }
  return problems;
}

function isCount(text: string, most: number): boolean {
  if (text.trim() === "") return true;
  const number = Number(text);
  return Number.isInteger(number) && number >= 1 && number <= most;
}

/** The rules to send. Without `passcode` the one that is set stays. */
export function rulesOf(draft: Draft): RulesRequest {
  const rate = draft.rate.trim();
  const rules: RulesRequest = {
    allow: readNetworks(draft.networks).networks,
    limits: {
      connections: draft.connections.trim() === "" ? null : Number(draft.connections),
      bytes_per_second: rate === "" ? null : Math.round(Number(rate) * 1024),
    },
  };
  if (draft.kind !== "http") return rules;
  if (draft.open) return { ...rules, passcode: null };
  return draft.passcode === "" ? rules : { ...rules, passcode: draft.passcode };
}

/** The body that makes it. Call it only for a draft without problems. */
export function requestOf(draft: Draft): ReservationRequest {
  const label = draft.label.trim();
  return {
    ...rulesOf(draft),
    kind: draft.kind,
    ...(label === "" ? {} : draft.kind === "http" ? { name: label.toLowerCase() } : { port: Number(label) }),
    ...(draft.token === "" ? {} : { token: draft.token }),
  };
}

/** What a client that holds it asks for besides, "" where that is nothing: both rules hold. */
export function clientWords(reservation: Reservation, tunnel: Tunnel | undefined): string {
  if (tunnel?.state !== "live") return "";
  const own = tunnel.allow.filter((network) => !reservation.allow.includes(network));
  const words = [
    ...(tunnel.passcode && !reservation.passcode ? ["those with a passcode of its own"] : []),
    ...(own.length > 0 ? [`those ${networkWords(own)}`] : []),
  ];
  return words.length === 0 ? "" : `The client that has it now lets in only ${words.join(" and ")}.`;
}

/** What will be true: "Anyone with the passcode can open myapp, from 10.0.0.0/8 only." */
export function sentenceOf(draft: Draft): string {
  const label = draft.label.trim();
  const what =
    draft.kind === "http"
      ? label || "a name that the edge chooses"
      : label
        ? `${KIND_WORDS[draft.kind]} port ${label}`
        : `a ${KIND_WORDS[draft.kind]} port that the edge chooses`;
  const guarded = draft.kind === "http" && (draft.passcode !== "" || (draft.hasPasscode && !draft.open));
  const { networks } = readNetworks(draft.networks);
  const from =
    networks.length === 0
      ? ""
      : networks.length === 1
        ? `, from ${networks[0]} only`
        : `, from ${networks.length} networks only`;
  return `${guarded ? "Anyone with the passcode" : "Anyone"} can open ${what}${from}, while a client holds it.`;
}
