import { describe, expect, test } from "vitest";
import {
  formatAge,
  formatDateTime,
  formatExpiry,
  formatLogTime,
  toDateTimeLocal,
} from "../src/model/time-format";

// A Saturday. Local times throughout, so that the tests hold in any time zone.
const NOW = new Date(2026, 10, 21, 14, 30);

describe("formatDateTime", () => {
  test.each([
    [new Date(2026, 10, 21, 15, 5), "today 15:05"],
    [new Date(2026, 10, 21, 0, 0), "today 00:00"],
    [new Date(2026, 10, 22, 14, 0), "tomorrow 14:00"],
    [new Date(2026, 10, 22, 0, 0), "tomorrow 00:00"],
    [new Date(2026, 10, 20, 23, 59), "yesterday 23:59"],
    [new Date(2026, 10, 24, 9, 0), "Tuesday 09:00"],
    [new Date(2026, 10, 27, 9, 0), "Friday 09:00"],
    // The same weekday a week on would be read as today.
    [new Date(2026, 10, 28, 9, 0), "28 Nov 09:00"],
    [new Date(2027, 0, 3, 9, 0), "3 Jan 2027 09:00"],
    [new Date(2026, 9, 1, 9, 0), "1 Oct 09:00"],
  ])("%s is %s", (date, words) => {
    expect(formatDateTime(date, NOW)).toBe(words);
  });

  test("the last second of a day still belongs to it", () => {
    expect(formatDateTime(new Date(2026, 10, 22, 0, 10), new Date(2026, 10, 21, 23, 59, 59))).toBe(
      "tomorrow 00:10",
    );
  });
});

test("an end in words", () => {
  expect(formatExpiry(null, NOW)).toBe("no end");
  expect(formatExpiry(new Date(2026, 10, 22, 14, 0).toISOString(), NOW)).toBe("until tomorrow 14:00");
  expect(formatExpiry(new Date(2026, 10, 21, 14, 0).toISOString(), NOW)).toBe("expired today 14:00");
});

test("the past in words", () => {
  const before = (minutes: number) => new Date(NOW.getTime() - minutes * 60_000).toISOString();
  expect(formatAge(before(0), NOW)).toBe("just now");
  expect(formatAge(before(59), NOW)).toBe("59 min ago");
  expect(formatAge(before(60), NOW)).toBe("1 h ago");
  expect(formatAge(before(24 * 60), NOW)).toBe("yesterday 14:30");
});

test("a log names the day unless it is today", () => {
  expect(formatLogTime(new Date(2026, 10, 21, 9, 5, 7).toISOString(), NOW)).toBe("09:05:07");
  expect(formatLogTime(new Date(2026, 10, 20, 9, 5, 7).toISOString(), NOW)).toBe("yesterday 09:05:07");
});

test("a date-time field holds local time and gives it back", () => {
  expect(toDateTimeLocal(NOW)).toBe("2026-11-21T14:30");
  expect(new Date(toDateTimeLocal(NOW)).getTime()).toBe(NOW.getTime());
});
