import { describe, expect, test } from "vitest";
import type { TrafficMinute } from "../src/api/types";
import { bytesPerMinute, describeHour, SHOWN_MINUTES } from "../src/model/traffic";

const NOW = new Date("2026-11-21T14:00:30Z");
const minute = (at: string, part: Partial<TrafficMinute> = {}): TrafficMinute => ({
  minute: `2026-11-21T${at}:00Z`,
  bytes_in: 0,
  bytes_out: 0,
  connections: 0,
  requests: 0,
  refused: 0,
  dropped: 0,
  datagrams_in: 0,
  datagrams_out: 0,
  ...part,
});

describe("the last hour", () => {
  test("each minute has its place, the present one last", () => {
    const bars = bytesPerMinute(
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
    expect(describeHour([])).toBe("Nothing moved in the last hour.");
    expect(
      describeHour([
        minute("13:00", { requests: 1200, bytes_in: 3000, refused: 2 }),
        minute("13:01", { requests: 4, bytes_out: 4_000_000 }),
      ]),
    ).toBe("In the last hour 1,204 requests, 2.9 kB in, 3.8 MB out, 2 turned away.");
    expect(describeHour([minute("13:00", { connections: 1, dropped: 1 })])).toBe(
      "In the last hour 1 connection, 0 B in, 0 B out, 1 datagram dropped.",
    );
  });
});
