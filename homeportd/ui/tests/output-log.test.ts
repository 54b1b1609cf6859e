import { describe, expect, it } from "vitest";
import { appendLines, MAX_LINES, matchingLines, Rows, splitAtMatches } from "../src/model/output-log";

const line = (number: number, text = `line ${number}`) => ({
  offset: number * 10,
  end: number * 10 + 10,
  time: "2026-12-01T09:41:00Z",
  text,
});

describe("kept lines", () => {
  it("take each line once, though a stream that begins anew repeats some", () => {
    const kept = appendLines([line(1), line(2)], [line(2), line(3)]);
    expect(kept.map(({ offset }) => offset)).toEqual([10, 20, 30]);
    expect(appendLines(kept, [line(3)])).toBe(kept);
  });

  it("are bounded", () => {
    const many = Array.from({ length: MAX_LINES }, (_, number) => line(number));
    const kept = appendLines(many, [line(MAX_LINES)]);
    expect(kept.length).toBeLessThan(MAX_LINES);
    expect(kept.at(-1)?.offset).toBe(MAX_LINES * 10);
  });
});

describe("rows", () => {
  const lines = [line(0, "short"), line(1, "x".repeat(25)), line(2, ""), line(3, "\x1b[31mred\x1b[0m")];

  it("are one a line without wrapping", () => {
    const rows = new Rows(lines, null);
    expect(rows.total).toBe(4);
    expect([0, 1, 2, 3, 99].map((row) => rows.lineAt(row))).toEqual([0, 1, 2, 3, 4]);
  });

  it("count what is seen of a line that wraps, not its colours", () => {
    const rows = new Rows(lines, 10);
    expect(rows.total).toBe(6);
    expect(lines.map((_, index) => rows.startOf(index))).toEqual([0, 1, 4, 5]);
    expect([0, 1, 3, 4, 5].map((row) => rows.lineAt(row))).toEqual([0, 1, 1, 2, 3]);
  });

  it("of a hundred thousand lines are found at once", () => {
    const rows = new Rows(
      Array.from({ length: 100_000 }, (_, number) => line(number)),
      null,
    );
    expect(rows.lineAt(54_321)).toBe(54_321);
    expect(rows.startOf(99_999)).toBe(99_999);
  });
});

describe("search", () => {
  it("finds text in upper and lower case, and not in colours", () => {
    const lines = [line(0, "An \x1b[31mError\x1b[0m"), line(1, "fine"), line(2, "no error")];
    expect(matchingLines(lines, "error")).toEqual([0, 2]);
    expect(matchingLines(lines, "31m")).toEqual([]);
    expect(matchingLines(lines, "")).toEqual([]);
  });

  it("cuts text around its matches", () => {
    expect(splitAtMatches("an Error, an error", "error")).toEqual(["an ", "Error", ", an ", "error", ""]);
    expect(splitAtMatches("plain", "")).toEqual(["plain"]);
  });
});
