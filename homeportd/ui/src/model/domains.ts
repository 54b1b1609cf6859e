/** Custom domains: their order, how events change them, and text for their state. */

import type { Domain, DomainState, EventMessage } from "../api/types";
import { toSentence } from "./sentence";
import { formatAge, formatDateTime } from "./time-format";

/** Sorted by name: an order that does not change while it is read. */
export const sortDomains = (domains: readonly Domain[]): Domain[] =>
  [...domains].sort((a, b) => a.domain.localeCompare(b.domain));

export function applyDomainEvent(domains: readonly Domain[], event: EventMessage): readonly Domain[] {
  if (event.type === "domain.removed") return domains.filter((each) => each.domain !== event.data.domain);
  if (event.type !== "domain.changed") return domains;
  return sortDomains([...domains.filter((each) => each.domain !== event.data.domain), event.data]);
}

/** Whether there is a TLS certificate to wait for. */
const hasTls = (domain: Domain): boolean => domain.url.startsWith("https:");

/** The state's label, the same as on the command line, and its tone. */
export function describeState(domain: Domain): { label: string; tone: "works" | "waits" | "broken" } {
  const states: Record<DomainState, { label: string; tone: "works" | "waits" | "broken" }> = {
    pending: { label: "Pending", tone: "waits" },
    verified: { label: "Verified", tone: hasTls(domain) ? "waits" : "works" },
    issued: { label: "Issued", tone: "works" },
    error: { label: "Error", tone: "broken" },
  };
  return states[domain.state] ?? { label: domain.state, tone: "waits" };
}

/** What the state means for a visitor of the domain: "its record leads here, its certificate is on the way". */
export function stateDetail(domain: Domain, now: Date): string {
  switch (domain.state) {
    case "pending":
      return "waiting for its DNS record";
    case "verified":
      return hasTls(domain)
        ? "its record leads here, its certificate is on the way"
        : "works, without TLS as all names of this edge";
    case "issued":
      return domain.certificate === null
        ? "works"
        : `works, certificate by ${domain.certificate.issuer} until ${formatDateTime(new Date(domain.certificate.not_after), now)}`;
    default:
      return "";
  }
}

/** Whether the person still has to make a DNS record: none of those that would do was found. */
export const needsRecord = ({ state, records, found }: Domain): boolean =>
  (state === "pending" || state === "error") &&
  !records.some((record) => found.includes(`${record.type} ${record.value}`));

/** When the next request for a refused certificate is due; empty where none was refused. */
export function retryText({ retry_at }: Domain, now: Date): string {
  if (!retry_at) return "";
  return `The certificate is asked for again ${formatDateTime(new Date(retry_at), now)}. Check asks now.`;
}

/** "DNS says now: CNAME other.example. · asked 3 min ago, and again by itself" */
export function dnsText(domain: Domain, now: Date): string {
  const { found, error } = domain;
  // The note may only repeat the error.
  const note = domain.note && domain.note !== error?.detail ? ` (${domain.note})` : "";
  // "Nothing found" means no record only if DNS could be asked; if not, the error says so.
  const answer =
    found.length > 0 ? `DNS says now: ${found.join(", ")}` : error ? "" : "DNS has no record of it yet";
  const asked = domain.checked_at ? `asked ${formatAge(domain.checked_at, now)}, and again by itself` : "";
  return toSentence([answer + note, asked].filter(Boolean).join(" · "));
}
