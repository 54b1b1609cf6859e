import { expect, test } from "vitest";
import type { AccessDecision } from "../src/api/types";
import { describeDecision, describeUserAgent } from "../src/model/access-text";

test("decisions as text, also those of a later agent", () => {
  expect(describeDecision("denied:network")).toBe("Turned away: network not allowed");
  expect(describeDecision("owner")).toBe("Let in: you");
  expect(describeDecision("denied:moon" as AccessDecision)).toBe("Turned away: moon");
  expect(describeDecision("passkey" as AccessDecision)).toBe("Let in: passkey");
});

test("user agents as text", () => {
  const iphone =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605 Version/17.0 Safari/604.1";
  expect(describeUserAgent(iphone)).toBe("Safari on iPhone");
  expect(describeUserAgent("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537 Chrome/156.0 Safari/537")).toBe(
    "Chrome on Linux",
  );
  expect(describeUserAgent("curl/8.5.0")).toBe("curl");
  expect(describeUserAgent("")).toBe("");
  expect(describeUserAgent("x".repeat(99))).toHaveLength(40);
});
