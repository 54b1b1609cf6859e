import { expect, test } from "vitest";
import { formatBytes, formatUsage } from "../src/model/byte-size";

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1.0 kB"],
  [6.4 * 2 ** 30, "6.4 GB"],
  [9.96 * 2 ** 30, "10 GB"],
  [1023.9 * 2 ** 20, "1.0 GB"],
  [16 * 2 ** 30, "16 GB"],
])("%d bytes are %s", (bytes, words) => expect(formatBytes(bytes)).toBe(words));

test("used and total share their unit where they can", () => {
  expect(formatUsage(6.4 * 2 ** 30, 16 * 2 ** 30)).toBe("6.4 of 16 GB");
  expect(formatUsage(512 * 2 ** 20, 16 * 2 ** 30)).toBe("512 MB of 16 GB");
});
