import { describe, expect, test } from "vitest";
import { readOrder } from "../src/net/read-order";

describe("reads that overlap", () => {
  test("the answer to an earlier request does not replace that to a later one", () => {
    const { begin } = readOrder();
    const [first, second] = [begin(), begin()];
    expect(second()).toBe(true);
    expect(first()).toBe(false);
  });

  test("answers in order are all shown", () => {
    const { begin } = readOrder();
    const [first, second] = [begin(), begin()];
    expect(first()).toBe(true);
    expect(second()).toBe(true);
  });

  test("a change without a request outdates requests before it, and none after it", () => {
    const { begin, supersede } = readOrder();
    const before = begin();
    supersede();
    expect(before()).toBe(false);
    expect(begin()()).toBe(true);
  });
});
