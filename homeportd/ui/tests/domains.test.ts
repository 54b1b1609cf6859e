import { describe, expect, test } from "vitest";
import type { Domain, EventMessage } from "../src/api/types";
import {
  applyDomainEvent,
  describeState,
  dnsText,
  needsRecord,
  retryText,
  stateDetail,
} from "../src/model/domains";
import { toSentence } from "../src/model/sentence";

const NOW = new Date("2026-11-21T14:00:00Z");
const domain = (name: string, part: Partial<Domain> = {}): Domain => ({
  domain: name,
  reservation: "r1",
  name: "docs",
  state: "pending",
  records: [{ name: `${name}.`, type: "CNAME", value: "docs.tunnel.example.com." }],
  found: [],
  error: null,
  note: null,
  certificate: null,
  checked_at: null,
  retry_at: null,
  created_at: "2026-11-21T12:00:00Z",
  url: `https://${name}`,
  ...part,
});
const event = (type: string, data: unknown): EventMessage => ({ id: 1, type, data }) as EventMessage;

test("events add, change and remove, by name", () => {
  const added = applyDomainEvent([domain("b.example")], event("domain.changed", domain("a.example")));
  expect(added.map((each) => each.domain)).toEqual(["a.example", "b.example"]);
  const changed = applyDomainEvent(added, event("domain.changed", domain("b.example", { state: "issued" })));
  expect(changed.map((each) => each.state)).toEqual(["pending", "issued"]);
  expect(applyDomainEvent(changed, event("domain.removed", { domain: "a.example" }))).toHaveLength(1);
  expect(applyDomainEvent(changed, event("tunnel.closed", {}))).toBe(changed);
});

describe("states", () => {
  test.each([
    ["pending", "https:", "Pending", "waits", true],
    ["verified", "https:", "Verified", "waits", false],
    ["verified", "http:", "Verified", "works", false],
    ["issued", "https:", "Issued", "works", false],
    ["error", "https:", "Error", "broken", true],
  ] as const)("%s over %s", (state, scheme, label, tone, record) => {
    const each = domain("a.example", { state, url: `${scheme}//a.example` });
    expect(describeState(each)).toEqual({ label, tone });
    expect(needsRecord(each)).toBe(record);
  });

  test("what the certificate is, and until when", () => {
    const certificate = {
      issuer: "Let's Encrypt",
      not_before: "2026-11-01T12:00:00Z",
      not_after: "2027-02-01T12:00:00Z",
      serial: "01",
    };
    expect(stateDetail(domain("a.example", { state: "issued", certificate }), NOW)).toMatch(
      /^works, certificate by Let's Encrypt until 1 Feb 2027 \d\d:00$/,
    );
    expect(stateDetail(domain("a.example", { state: "verified" }), NOW)).toBe(
      "its record leads here, its certificate is on the way",
    );
    expect(stateDetail(domain("a.example"), NOW)).toBe("waiting for its DNS record");
  });
});

test("a record that is there is not asked for", () => {
  const made = domain("a.example", { state: "error", found: ["CNAME docs.tunnel.example.com."] });
  expect(needsRecord(made)).toBe(false);
  expect(needsRecord({ ...made, found: ["CNAME other.example."] })).toBe(true);
  expect(retryText(made, NOW)).toBe("");
  const later = `${NOW.toISOString().slice(0, 11)}14:30:00Z`;
  expect(retryText({ ...made, retry_at: later }, NOW)).toMatch(
    /^The certificate is asked for again today \d\d:30\. Check asks now\.$/,
  );
});

test("what DNS says, once", () => {
  expect(dnsText(domain("a.example"), NOW)).toBe("DNS has no record of it yet.");
  const asked = domain("a.example", {
    found: ["CNAME other.example."],
    note: "from a resolver",
    checked_at: "2026-11-21T13:57:00Z",
  });
  expect(dnsText(asked, NOW)).toBe(
    "DNS says now: CNAME other.example. (from a resolver) · asked 3 min ago, and again by itself.",
  );
  const same = { detail: "nobody answers", fix: "wait" };
  expect(dnsText({ ...asked, found: [], error: same, note: same.detail }, NOW)).toBe(
    "Asked 3 min ago, and again by itself.",
  );
});

test.each([
  ["the record is missing", "The record is missing."],
  ["Is it there?", "Is it there?"],
  ["app.example.org has no DNS record yet", "app.example.org has no DNS record yet."],
  ["", ""],
])("a sentence of %j", (text, sentence) => {
  expect(toSentence(text)).toBe(sentence);
});
