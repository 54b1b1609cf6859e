import { describe, expect, test } from "vitest";
import type { Reservation, Tunnel } from "../src/api/types";
import {
  describeClientRules,
  describeReservationDraft,
  newReservationDraft,
  reservationDraftOf,
  reservationRequestOf,
  rulesRequestOf,
  validateReservationDraft,
} from "../src/model/reservation-draft";

const EDGE = { tcp_ports: "20000-20010", udp_ports: "30000-30010" };
const KEPT: Reservation = {
  id: "r1",
  kind: "http",
  name: "docs",
  port: null,
  address: "https://docs.tunnel.example.com",
  token: "laptop",
  allow: ["203.0.113.0/24"],
  limits: { connections: 5, bytes_per_second: 1536 },
  passcode: true,
  subdomains: false,
  created_at: "2026-11-21T12:00:00Z",
  live: false,
};

describe("what stands in the way", () => {
  test.each([
    ["http", "", undefined],
    ["http", "my-app", undefined],
    ["http", "MyApp", undefined],
    ["http", "my.app", "label"],
    ["http", "-app", "label"],
    ["tcp", "20010", undefined],
    ["tcp", "20011", "label"],
    ["udp", "20010", "label"],
    ["udp", "3e4", "label"],
  ] as const)("%s %s", (kind, label, wrong) => {
    expect(Object.keys(validateReservationDraft(newReservationDraft(kind, label), EDGE))).toEqual(
      wrong ? [wrong] : [],
    );
  });

  test("networks, connections and rate", () => {
    const draft = { ...newReservationDraft(), networks: "10.0.0.1/33", connections: "0", rate: "0.5" };
    expect(Object.keys(validateReservationDraft(draft, EDGE)).sort()).toEqual([
      "connections",
      "networks",
      "rate",
    ]);
  });
});

describe("what is sent", () => {
  test("a draft of what there is changes nothing, the passcode included", () => {
    expect(rulesRequestOf(reservationDraftOf(KEPT))).toEqual({
      subdomains: false,
      allow: KEPT.allow,
      limits: KEPT.limits,
    });
  });

  test("a new passcode, and none any more", () => {
    expect(rulesRequestOf({ ...reservationDraftOf(KEPT), passcode: "sesame" }).passcode).toBe("sesame");
    expect(rulesRequestOf({ ...reservationDraftOf(KEPT), removePasscode: true }).passcode).toBeNull();
  });

  test("a new name is in lower case and for its token", () => {
    expect(reservationRequestOf({ ...newReservationDraft("http", " MyApp "), token: "t1" })).toEqual({
      kind: "http",
      name: "myapp",
      subdomains: false,
      token: "t1",
      allow: [],
      limits: { connections: null, bytes_per_second: null },
    });
  });

  test("a port that the edge chooses; no passcode for anything but HTTP", () => {
    const request = reservationRequestOf({
      ...newReservationDraft("tcp"),
      passcode: "left over",
      rate: "1.5",
    });
    expect(request).toEqual({
      kind: "tcp",
      allow: [],
      limits: { connections: null, bytes_per_second: 1536 },
    });
  });
});

test.each([
  [newReservationDraft("http", "docs"), "Anyone can open docs, while a client holds it."],
  [newReservationDraft("tcp"), "Anyone can open a TCP port that the edge chooses, while a client holds it."],
  [
    reservationDraftOf(KEPT),
    "Anyone with the passcode can open docs, from 203.0.113.0/24 only, while a client holds it.",
  ],
  [
    { ...reservationDraftOf(KEPT), removePasscode: true, networks: "" },
    "Anyone can open docs, while a client holds it.",
  ],
  [
    { ...newReservationDraft("udp", "30000"), networks: "10.0.0.0/8, ::1" },
    "Anyone can open UDP port 30000, from 2 networks only, while a client holds it.",
  ],
])("the sentence", (draft, sentence) => {
  expect(describeReservationDraft(draft)).toBe(sentence);
});

test.each([
  [{ allow: ["203.0.113.0/24"], passcode: true }, ""],
  [{ allow: ["203.0.113.0/24", "10.0.0.0/8"], passcode: true }, "those from 10.0.0.0/8"],
  [{ allow: [], passcode: true, state: "offline" }, ""],
])("what its client asks for besides %#", (part, only) => {
  const tunnel = { state: "live", ...part } as Tunnel;
  expect(describeClientRules(KEPT, tunnel)).toBe(only && `The client that has it now lets in only ${only}.`);
  expect(describeClientRules({ ...KEPT, allow: ["203.0.113.0/24", "10.0.0.0/8"] }, tunnel)).toBe("");
});

test("a passcode of its client's, and nobody who holds it", () => {
  const open = { ...KEPT, allow: [], passcode: false };
  expect(
    describeClientRules(open, { state: "live", allow: ["::1/128"], passcode: true } as unknown as Tunnel),
  ).toBe("The client that has it now lets in only those with a passcode of its own and those from ::1/128.");
  expect(describeClientRules(open, undefined)).toBe("");
});
