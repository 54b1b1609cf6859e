import { describe, expect, test } from "vitest";
import type { EventMessage } from "../src/api/types";
import {
  applyTunnelEvent,
  describeActivity,
  describeAudience,
  describeCounts,
  describeLimits,
  describeRates,
  edgeAddress,
  formatAgeInSeconds,
  groupByKind,
  labelOf,
  tunnelSearchText,
  tunnelsById,
} from "../src/model/tunnels";
import { tunnel } from "./samples";

const NOW = new Date("2026-11-21T14:00:00Z");
const ago = (seconds: number) => new Date(NOW.getTime() - seconds * 1000).toISOString();
const event = (type: string, data: unknown): EventMessage => ({ id: 1, type, data }) as EventMessage;

describe("events", () => {
  const myapp = tunnel("myapp");

  test("a tunnel opens, changes and closes", () => {
    const opened = applyTunnelEvent(tunnelsById([]), event("tunnel.opened", myapp));
    expect([...opened.keys()]).toEqual(["myapp"]);
    const offline = { ...myapp, state: "offline" };
    expect(applyTunnelEvent(opened, event("tunnel.changed", offline)).get("myapp")?.state).toBe("offline");
    expect(applyTunnelEvent(opened, event("tunnel.closed", { id: "myapp" })).size).toBe(0);
  });

  test("rates change the figures alone", () => {
    const rates = { id: "myapp", rate_in: 5, rate_out: 9, connections: 2, last_byte_at: ago(1) };
    const after = applyTunnelEvent(tunnelsById([myapp]), event("tunnel.rates", { tunnels: [rates] }));
    expect(after.get("myapp")).toMatchObject({
      name: "myapp",
      client: "laptop",
      rate_out: 9,
      connections: 2,
    });
  });

  test("what is of no known tunnel leaves the same object", () => {
    const before = tunnelsById([myapp]);
    for (const each of [
      event("tunnel.closed", { id: "other" }),
      event("tunnel.rates", { tunnels: [{ id: "other" }] }),
      event("tunnel.visit", { tunnel: "myapp" }),
      event("port.opened", {}),
    ])
      expect(applyTunnelEvent(before, each)).toBe(before);
  });

  test("what was there is not altered", () => {
    const before = tunnelsById([myapp]);
    applyTunnelEvent(before, event("tunnel.closed", { id: "myapp" }));
    expect(before.size).toBe(1);
  });
});

describe("order and filter", () => {
  const all = [
    tunnel("zoo"),
    tunnel("8100", { kind: "tcp", name: null, port: 8100 }),
    tunnel("900", { kind: "tcp", name: null, port: 900 }),
    tunnel("app", { client: "desk" }),
    tunnel("53", { kind: "udp", name: null, port: 53 }),
  ];
  const labels = (filter: string) =>
    groupByKind(all, filter, tunnelSearchText).map(({ kind, endpoints }) => [
      kind,
      ...endpoints.map(labelOf),
    ]);

  test("names from A to Z, then ports rising", () => {
    expect(labels("")).toEqual([
      ["http", "app", "zoo"],
      ["tcp", "900", "8100"],
      ["udp", "53"],
    ]);
  });

  test("every word must fit somewhere in the row", () => {
    expect(labels("desk")).toEqual([["http", "app"]]);
    expect(labels("TCP 81")).toEqual([["tcp", "8100"]]);
    expect(labels("nothing like it")).toEqual([]);
  });
});

describe("words", () => {
  test.each([
    [false, [], "Public · from anywhere"],
    [false, ["203.0.113.7/32"], "Public · from 203.0.113.7/32"],
    [true, ["10.0.0.0/8", "2001:db8::/32"], "Passcode · from 2 networks"],
  ])("who may", (passcode, allow, words) => {
    expect(describeAudience({ passcode, allow })).toBe(words);
  });

  test.each([
    [-5, "just now"],
    [1, "just now"],
    [3, "3 s ago"],
    [59, "59 s ago"],
    [60, "1 min ago"],
    [7200, "2 h ago"],
  ])("an age of %d s", (seconds, words) => {
    expect(formatAgeInSeconds(ago(seconds), NOW)).toBe(words);
  });

  test("who holds it, and when the last byte moved", () => {
    expect(describeActivity(tunnel("a", { last_byte_at: ago(3), connections: 2 }), NOW)).toBe(
      "laptop · last byte 3 s ago · 2 connections",
    );
    expect(describeActivity(tunnel("a", { kind: "udp", connections: 1 }), NOW)).toBe(
      "laptop · nothing has come yet · 1 visitor",
    );
    const away = tunnel("a", { state: "offline", client: null, since: ago(60), last_byte_at: ago(90) });
    expect(describeActivity(away, NOW)).toMatch(/^no client since today \d\d:59 · last byte 1 min ago$/);
  });

  test.each([
    [0, 0.4, "quiet"],
    [0, 12_288, "in 0 B/s, out 12 kB/s"],
    [1_500_000, 100, "in 1.4 MB/s, out 100 B/s"],
  ])("rates", (rate_in, rate_out, words) => {
    expect(describeRates({ rate_in, rate_out })).toBe(words);
  });

  test("limits", () => {
    expect(describeLimits({ connections: null, bytes_per_second: null })).toBe("");
    expect(describeLimits({ connections: 1, bytes_per_second: null })).toBe("at most 1 connection");
    expect(describeLimits({ connections: 20, bytes_per_second: 524_288 })).toBe(
      "at most 20 connections, 512 kB/s",
    );
  });

  test("how many", () => {
    expect(describeCounts([])).toBe("0 tunnels live");
    expect(describeCounts([tunnel("a"), tunnel("b", { state: "offline" })])).toBe("1 tunnel live, 1 offline");
  });

  test("where clients connect", () => {
    expect(edgeAddress("https://{name}.tunnel.example.com:8443")).toBe("https://tunnel.example.com:8443");
  });
});
