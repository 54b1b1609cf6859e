import { expect, test } from "vitest";
import type { AccessLogRow } from "../src/api/types";
import { appendOlder, mergeNewest, PAGE_SIZE } from "../src/model/log-window";

/** Rows with ids from `newest` down, as many as asked for. */
const rows = (newest: number, count: number): AccessLogRow[] =>
  Array.from({ length: count }, (_, index) => ({
    id: newest - index,
    time: "2026-11-21T14:00:00Z",
    address: "203.0.113.7",
    user_agent: "curl/8.5.0",
    method: "GET",
    path: "/",
    decision: "public",
  }));
const ids = (log: { rows: readonly AccessLogRow[] }) => log.rows.map((row) => row.id);

test("a short log is whole", () => {
  expect(mergeNewest(null, rows(3, 3))).toEqual({ rows: rows(3, 3), more: false });
  expect(mergeNewest(null, []).more).toBe(false);
});

test("new visits come on top, once", () => {
  const log = mergeNewest(mergeNewest(null, rows(3, 3)), rows(5, 5));
  expect(ids(log)).toEqual([5, 4, 3, 2, 1]);
  expect(log.more).toBe(false);
});

test("older pages join at the end until there are no more", () => {
  const first = mergeNewest(null, rows(120, PAGE_SIZE));
  expect(first.more).toBe(true);
  const second = appendOlder(first, rows(70, PAGE_SIZE));
  expect([ids(second).length, second.more]).toEqual([100, true]);
  const third = appendOlder(second, rows(20, 20));
  expect([ids(third), third.more]).toEqual([rows(120, 120).map((row) => row.id), false]);
  // What comes now says nothing about the old end.
  expect(mergeNewest(third, rows(125, PAGE_SIZE)).more).toBe(false);
  expect(ids(mergeNewest(third, rows(125, PAGE_SIZE)))).toHaveLength(125);
});

test("a burst that one page cannot hold starts the list anew, without a gap", () => {
  const log = mergeNewest(mergeNewest(null, rows(10, 10)), rows(200, PAGE_SIZE));
  expect(ids(log)).toEqual(rows(200, PAGE_SIZE).map((row) => row.id));
  expect(log.more).toBe(true);
});

test("a long reading does not grow for ever", () => {
  let log = mergeNewest(null, rows(40, 40));
  for (let newest = 80; newest <= 4000; newest += 40) log = mergeNewest(log, rows(newest, PAGE_SIZE));
  expect(log.rows).toHaveLength(1000);
  expect(log.rows[0]?.id).toBe(4000);
  expect(log.more).toBe(true);
});
