import { describe, expect, test } from "vitest";
import {
  agentWords,
  decisionWords,
  hasEnded,
  modeNow,
  portName,
  shareOfSize,
  sizeWords,
} from "../src/model/describe";
import { safeNext } from "../src/model/next";
import { rank, score } from "../src/model/rank";
import { backoff } from "../src/net/backoff";
import { port, share } from "./samples";

test.each([
  [port(1, { subdir: "frontend" }), "vite · frontend"],
  [port(1, { subdir: "" }), "vite"],
  [port(1, { listening: false }), "vite · not running"],
  [port(1, { listening: false, title: null }), "shared port · not running"],
  [port(1, { listening: false, title: null, outside: "ranges" }), "shared port · outside the port ranges"],
  [port(1, { listening: false, title: null, outside: "own" }), "shared port · Homeport's own port"],
  [port(1, { title: null, user: "postgres" }), "a program of postgres"],
  [port(1, { title: null, user: null }), "owner not visible"],
  [port(1, { title: null, user: "root", foreign: true }), "a program of root"],
  [port(1, { subdir: "web", user: "root", foreign: true }), "vite · web · root's"],
  [port(1, { user: "games", foreign: true }), "vite · games'"],
  [
    port(1, {
      title: "db",
      user: "root",
      foreign: true,
      container: { name: "x_db", service: "db", project: "x" },
    }),
    "db · container",
  ],
  [port(1, { user: "ada", container: { name: "x_db", service: "db", project: "x" } }), "vite · container"],
  [
    port(1, { user: "games", foreign: true, container: { name: "x_db", service: "db", project: "x" } }),
    "vite · games' container",
  ],
])("a port's name %#", (of, name) => expect(portName(of)).toBe(name));

test("a share that has ended counts as private", () => {
  const ended = port(1, { share: share({ expires_at: "2020-01-01T00:00:00Z" }) });
  expect([hasEnded(ended), modeNow(ended)]).toEqual([true, "private"]);
  expect(modeNow(port(1, { share: share({}) }))).toBe("password");
});

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1.0 kB"],
  [6.4 * 2 ** 30, "6.4 GB"],
  [9.96 * 2 ** 30, "10 GB"],
  [1023.9 * 2 ** 20, "1.0 GB"],
  [16 * 2 ** 30, "16 GB"],
])("%d bytes are %s", (bytes, words) => expect(sizeWords(bytes)).toBe(words));

test("used and total share their unit where they can", () => {
  expect(shareOfSize(6.4 * 2 ** 30, 16 * 2 ** 30)).toBe("6.4 of 16 GB");
  expect(shareOfSize(512 * 2 ** 20, 16 * 2 ** 30)).toBe("512 MB of 16 GB");
});

test("decisions in words, also those of a later agent", () => {
  expect(decisionWords("denied:network")).toBe("Turned away: network not allowed");
  expect(decisionWords("owner")).toBe("Let in: you");
  expect(decisionWords("denied:moon")).toBe("Turned away: moon");
  expect(decisionWords("passkey")).toBe("Let in: passkey");
});

test("user agents in words", () => {
  const iphone =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605 Version/17.0 Safari/604.1";
  expect(agentWords(iphone)).toBe("Safari on iPhone");
  expect(agentWords("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537 Chrome/156.0 Safari/537")).toBe(
    "Chrome on Linux",
  );
  expect(agentWords("curl/8.5.0")).toBe("curl");
  expect(agentWords(null)).toBe("");
  expect(agentWords("x".repeat(99))).toHaveLength(40);
});

describe("after the login", () => {
  test.each([
    ["/hop?port=3000&next=%2Fa", "/hop?port=3000&next=%2Fa"],
    ["/", "/"],
    [null, "/"],
    ["", "/"],
    ["//evil.example", "/"],
    ["/\\evil.example", "/"],
    ["/\t/evil.example", "/"],
    ["/a\\b", "/"],
    ["https://evil.example", "/"],
    ["javascript:alert(1)", "/"],
    ["hop", "/"],
  ])("%s leads to %s", (next, path) => expect(safeNext(next)).toBe(path));
});

test("the palette puts the start of words first", () => {
  const labels = ["Access log of 3000", "Open 3000", "Reopen", "Share 3000"];
  expect(rank("open", labels, (label) => label)).toEqual(["Open 3000", "Reopen"]);
  expect(rank("3000 sh", labels, (label) => label)).toEqual(["Share 3000"]);
  expect(rank("", labels, (label) => label)).toEqual(labels);
  expect(score("x", "abc")).toBeNull();
});

test("attempts to connect back off, spread out, and never stop", () => {
  expect(backoff(0, 0)).toBe(250);
  expect(backoff(0, 1)).toBe(500);
  expect(backoff(3, 1)).toBe(4000);
  for (const failures of [5, 50, 5000]) {
    expect(backoff(failures, 0)).toBe(7500);
    expect(backoff(failures, 1)).toBe(15_000);
  }
});
