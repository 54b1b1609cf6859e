import { describe, expect, test } from "vitest";
import type { ConnectionLogRow } from "../src/api/types";
import { describeLogEvent, describeTransfer, formatDuration, rowTone } from "../src/model/connection-log";

describe("rows", () => {
  const row = (part: Partial<ConnectionLogRow>): ConnectionLogRow => ({
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
    [{ event: "later" as ConnectionLogRow["event"] }, "later", "plain"],
  ] as [Partial<ConnectionLogRow>, string, string][])("%j", (part, text, tone) => {
    expect(describeLogEvent(row(part))).toBe(text);
    expect(rowTone(row(part))).toBe(tone);
  });

  test("what was asked for, and what moved", () => {
    const asked = row({ method: "GET", path: "/a", status: 200, bytes_out: 1234, duration_ms: 4 });
    expect(describeTransfer(asked)).toBe("GET /a · 1.2 kB in 4 ms");
    expect(describeTransfer({ ...asked, event: "refused", status: 403 })).toBe("GET /a · 1.2 kB in 4 ms");
    expect(describeTransfer(row({ event: "close", bytes_in: 10, bytes_out: 20 }))).toBe("in 10 B, out 20 B");
    expect(describeTransfer(row({ event: "open" }))).toBe("");
  });

  test.each([
    [999, "999 ms"],
    [59_900, "59.9 s"],
    [120_000, "2 min"],
    [3_660_000, "1 h 1 min"],
  ])("%d ms", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});
