import { describe, expect, test } from "vitest";
import { turns } from "../src/state/turns";

describe("reads that overlap", () => {
  test("one that was asked for earlier does not undo a later one", () => {
    const turn = turns();
    const [first, second] = [turn(), turn()];
    expect(second()).toBe(true);
    expect(first()).toBe(false);
  });

  test("in order, each is shown", () => {
    const turn = turns();
    const [first, second] = [turn(), turn()];
    expect(first()).toBe(true);
    expect(second()).toBe(true);
  });

  test("a change by hand outlives what was asked for before it, and not what is asked for after", () => {
    const turn = turns();
    const before = turn();
    turn()();
    expect(before()).toBe(false);
    expect(turn()()).toBe(true);
  });
});
