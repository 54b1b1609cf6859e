/** Custom domains: how events change them, and the words for their states. */

import { asSentence } from "./sentence";
import type { Domain, DomainEvent, DomainState } from "./types";
import { agoWords, whenWords } from "./when";

/** By name, so that the order does not move while it is read. */
export const sortDomains = (domains: readonly Domain[]): Domain[] =>
  [...domains].sort((a, b) => a.domain.localeCompare(b.domain));

export function applyDomainEvent(domains: readonly Domain[], event: DomainEvent): readonly Domain[] {
  if (event.type === "domain.removed") return domains.filter((each) => each.domain !== event.data.domain);
  if (event.type !== "domain.changed") return domains;
  return sortDomains([...domains.filter((each) => each.domain !== event.data.domain), event.data]);
}

/** Whether there is a TLS certificate to wait for. */
const hasTls = (domain: Domain): boolean => domain.url.startsWith("https:");

/** The state as the API and the command line have it, and its colour. */
export function stateOf(domain: Domain): { word: string; tone: "works" | "waits" | "broken" } {
  const words: Record<DomainState, { word: string; tone: "works" | "waits" | "broken" }> = {
    pending: { word: "Pending", tone: "waits" },
    verified: { word: "Verified", tone: hasTls(domain) ? "waits" : "works" },
    issued: { word: "Issued", tone: "works" },
    error: { word: "Error", tone: "broken" },
  };
  return words[domain.state] ?? { word: domain.state, tone: "waits" };
}

/** What the state means for whoever opens the domain: "its record leads here, its certificate is on the way". */
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
        : `works, certificate by ${domain.certificate.issuer} until ${whenWords(new Date(domain.certificate.not_after), now)}`;
    default:
      return "";
  }
}

/** Whether the DNS record is what the person has to see: not where it is there, and something else is wrong. */
export const wantsRecord = ({ state, records, found }: Domain): boolean =>
  (state === "pending" || state === "error") &&
  !records.some((record) => found.includes(`${record.type} ${record.value}`));

/** When a refused certificate is asked for again, "" where none was refused. */
export function retryWords({ retry_at }: Domain, now: Date): string {
  if (!retry_at) return "";
  return `The certificate is asked for again ${whenWords(new Date(retry_at), now)}. Check asks now.`;
}

/** "DNS says now: CNAME other.example. · asked 3 min ago, and again by itself" */
export function foundWords(domain: Domain, now: Date): string {
  const { found, error } = domain;
  // What went wrong may be all that the note has to say.
  const note = domain.note && domain.note !== error?.detail ? ` (${domain.note})` : "";
  // Nothing found is no record only where DNS could be asked; the error knows which it is.
  const says =
    found.length > 0 ? `DNS says now: ${found.join(", ")}` : error ? "" : "DNS has no record of it yet";
  const asked = domain.checked_at ? `asked ${agoWords(domain.checked_at, now)}, and again by itself` : "";
  return asSentence([says + note, asked].filter(Boolean).join(" · "));
}
