import { describe, expect, test } from "vitest";
import {
  describeShareDraft,
  generatePassword,
  type ShareDraft,
  shareDraftOf,
  shareRequestOf,
  validateShareDraft,
} from "../src/model/share-draft";
import { port, share } from "./samples";

const NOW = new Date(2026, 10, 21, 14, 0);
const draft = (part: Partial<ShareDraft> = {}): ShareDraft => ({
  ...shareDraftOf(port(3000), NOW),
  password: "secret",
  ...part,
});

describe("the sentence", () => {
  test.each<[Partial<ShareDraft>, string]>([
    [{}, "Anyone with the password can open this until tomorrow 14:00."],
    [{ mode: "private" }, "Only you can open this, after you log in."],
    [{ mode: "public" }, "Anyone with the link can open this until tomorrow 14:00."],
    [{ expiry: { choice: "1h", custom: "" } }, "Anyone with the password can open this until today 15:00."],
    [
      { expiry: { choice: "never", custom: "" } },
      "Anyone with the password can open this until you stop sharing.",
    ],
    [{ expiry: { choice: "custom", custom: "" } }, "Choose when this ends."],
    [
      { expiry: { choice: "custom", custom: "2026-12-03T09:00" } },
      "Anyone with the password can open this until 3 Dec 09:00.",
    ],
    [
      { networks: "10.0.0.0/8" },
      "Anyone with the password, from 10.0.0.0/8 only, can open this until tomorrow 14:00.",
    ],
    [
      { mode: "public", networks: "10.0.0.0/8 ::1" },
      "Anyone with the link, from 2 networks only, can open this until tomorrow 14:00.",
    ],
    [
      { maxUses: "1" },
      "Anyone with the password can open this until tomorrow 14:00. The password works once.",
    ],
    [
      { maxUses: "5" },
      "Anyone with the password can open this until tomorrow 14:00. The password works 5 times.",
    ],
    [{ mode: "public", maxUses: "5" }, "Anyone with the link can open this until tomorrow 14:00."],
  ])("%o", (part, sentence) => {
    expect(describeShareDraft(draft(part), NOW)).toBe(sentence);
  });
});

describe("a draft of what is shared already", () => {
  const ends = new Date(2026, 10, 25, 9, 30);
  const shared = port(3000, {
    share: share({
      expires_at: ends.toISOString(),
      allow: ["10.0.0.0/8"],
      max_uses: 3,
      host_header: "keep",
      subdomains: true,
    }),
  });

  test("keeps everything, and the password by not naming it", () => {
    const kept = shareDraftOf(shared, NOW);
    expect(validateShareDraft(kept, NOW)).toEqual({});
    expect(shareRequestOf(kept)).toEqual({
      mode: "password",
      expires: ends.toISOString().replace(".000Z", "Z"),
      allow: ["10.0.0.0/8"],
      host_header: "keep",
      subdomains: true,
      max_uses: 3,
    });
  });

  test("of a share without end has none", () => {
    expect(shareRequestOf(shareDraftOf(port(1, { share: share({ mode: "public" }) }), NOW))).toEqual({
      mode: "public",
      expires: "never",
      allow: [],
      host_header: "localhost",
      subdomains: false,
    });
  });

  test("that has ended starts with a day again", () => {
    const ended = port(1, { share: share({ expires_at: new Date(2026, 10, 21, 13, 0).toISOString() }) });
    expect(shareDraftOf(ended, NOW).expiry.choice).toBe("24h");
  });
});

describe("what stands in the way", () => {
  test.each<[string, Partial<ShareDraft>, string[]]>([
    ["nothing", {}, []],
    ["no password", { password: "" }, ["password"]],
    ["no password, but one is set", { password: "", hasPassword: true }, []],
    ["a time that has passed", { expiry: { choice: "custom", custom: "2026-11-21T13:59" } }, ["expiry"]],
    ["no time", { expiry: { choice: "custom", custom: "" } }, ["expiry"]],
    ["networks", { networks: "10.0.0.1/33" }, ["networks"]],
    ["uses", { maxUses: "0" }, ["maxUses"]],
    ["uses in words", { maxUses: "two" }, ["maxUses"]],
    ["a name for the server", { hostHeader: "myapp.test:3000" }, []],
    ["an address for the server", { hostHeader: "http://myapp.test" }, ["hostHeader"]],
    ["uses of a public share do not count", { mode: "public", maxUses: "0" }, []],
    ["private needs nothing", { mode: "private", password: "", networks: "x" }, []],
  ])("%s", (_name, part, fields) => {
    expect(Object.keys(validateShareDraft(draft(part), NOW))).toEqual(fields);
  });
});

test("a public share names neither password nor uses", () => {
  const request = shareRequestOf(draft({ mode: "public", maxUses: "3" }));
  expect(request).toEqual({
    mode: "public",
    expires: "24h",
    allow: [],
    host_header: "localhost",
    subdomains: false,
  });
});

test("a generated password is long, easy to read out, and throws uneven bytes away", () => {
  const passwords = new Set(
    Array.from({ length: 50 }, () => generatePassword((bytes) => crypto.getRandomValues(bytes))),
  );
  expect(passwords.size).toBe(50);
  for (const password of passwords) expect(password).toMatch(/^[2-9a-km-zA-HJ-NP-Z]{16}$/);
  let first = true;
  const password = generatePassword((bytes) => {
    bytes.fill(first ? 255 : 0);
    first = false;
    return bytes;
  });
  expect(password).toBe("2".repeat(16));
});
