import { expect, test } from "vitest";
import { backoff } from "../src/net/backoff";

test("attempts to connect back off, spread out, and never stop", () => {
  expect(backoff(0, 0)).toBe(250);
  expect(backoff(0, 1)).toBe(500);
  expect(backoff(3, 1)).toBe(4000);
  for (const failures of [5, 50, 5000]) {
    expect(backoff(failures, 0)).toBe(7500);
    expect(backoff(failures, 1)).toBe(15_000);
  }
});
