import { describe, expect, test } from "vitest";
import { hourWords, lastHour, SHOWN_MINUTES } from "../src/model/minutes";
import type { Minute, Visit } from "../src/model/types";
import { detailWords, durationWords, eventWords, toneOf } from "../src/model/visits";

const NOW = new Date("2026-11-21T14:00:30Z");
const minute = (at: string, part: Partial<Minute> = {}): Minute => ({
  minute: `2026-11-21T${at}:00Z`,
  bytes_in: 0,
  bytes_out: 0,
  connections: 0,
  requests: 0,
  refused: 0,
  dropped: 0,
  ...part,
});

describe("the last hour", () => {
  test("each minute has its place, the present one last", () => {
    const bars = lastHour(
      [
        minute("12:59", { bytes_in: 9 }),
        minute("13:01", { bytes_in: 1 }),
        minute("14:00", { bytes_in: 1, bytes_out: 2 }),
        minute("14:02", { bytes_in: 9 }),
      ],
      NOW,
    );
    expect(bars).toHaveLength(SHOWN_MINUTES);
    expect(bars[0]).toBe(1);
    expect(bars.at(-1)).toBe(3);
    expect(bars.reduce((a, b) => a + b)).toBe(4);
  });

  test("in words", () => {
    expect(hourWords([])).toBe("Nothing moved in the last hour.");
    expect(
      hourWords([
        minute("13:00", { requests: 1200, bytes_in: 3000, refused: 2 }),
        minute("13:01", { requests: 4, bytes_out: 4_000_000 }),
      ]),
    ).toBe("In the last hour 1,204 requests, 2.9 kB in, 3.8 MB out, 2 turned away.");
    expect(hourWords([minute("13:00", { connections: 1, dropped: 1 })])).toBe(
      "In the last hour 1 connection, 0 B in, 0 B out, 1 datagram dropped.",
    );
  });
});

describe("visits", () => {
  const visit = (part: Partial<Visit>): Visit => ({
    id: 1,
    time: "2026-11-21T14:00:00Z",
    event: "request",
    address: "203.0.113.7",
    port: 4000,
    method: null,
    path: null,
    status: null,
    bytes_in: null,
    bytes_out: null,
    duration_ms: null,
    ...part,
  });

  test.each([
    [{ status: 200 }, "Answered 200", "good"],
    [{ status: 304 }, "Answered 304", "plain"],
    [{ status: 403 }, "Answered 403", "bad"],
    [{ event: "open" }, "Connected", "plain"],
    [{ event: "close", duration_ms: 3210 }, "Left after 3.2 s", "plain"],
    [{ event: "refused" }, "Turned away", "bad"],
    [{ event: "later" }, "later", "plain"],
  ])("%j", (part, words, tone) => {
    expect(eventWords(visit(part))).toBe(words);
    expect(toneOf(visit(part))).toBe(tone);
  });

  test("what was asked for, and what moved", () => {
    const asked = visit({ method: "GET", path: "/a", status: 200, bytes_out: 1234, duration_ms: 4 });
    expect(detailWords(asked)).toBe("GET /a · 1.2 kB in 4 ms");
    expect(detailWords({ ...asked, event: "refused", status: 403 })).toBe("GET /a · 1.2 kB in 4 ms");
    expect(detailWords(visit({ event: "close", bytes_in: 10, bytes_out: 20 }))).toBe("in 10 B, out 20 B");
    expect(detailWords(visit({ event: "open" }))).toBe("");
  });

  test.each([
    [999, "999 ms"],
    [59_900, "59.9 s"],
    [120_000, "2 min"],
    [3_660_000, "1 h 1 min"],
  ])("%d ms", (ms, words) => {
    expect(durationWords(ms)).toBe(words);
  });
});
