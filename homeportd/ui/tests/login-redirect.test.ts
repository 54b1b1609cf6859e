import { describe, expect, test } from "vitest";
import { sameOriginPath } from "../src/model/login-redirect";

describe("after the login", () => {
  test.each([
    ["/handoff?port=3000&next=%2Fa", "/handoff?port=3000&next=%2Fa"],
    ["/", "/"],
    [null, "/"],
    ["", "/"],
    ["//evil.example", "/"],
    ["/\\evil.example", "/"],
    ["/\t/evil.example", "/"],
    ["/a\\b", "/"],
    ["https://evil.example", "/"],
    ["javascript:alert(1)", "/"],
    ["handoff", "/"],
  ])("%s leads to %s", (next, path) => expect(sameOriginPath(next)).toBe(path));
});
