import { describe, expect, test } from "vitest";
import { MAX_NETWORKS, parseNetworks } from "../src/model/networks";

test("reads lists with any separator, each network once", () => {
  expect(parseNetworks(" 10.0.0.0/8, 203.0.113.7\n2001:db8::/32;10.0.0.0/8 ")).toEqual({
    networks: ["10.0.0.0/8", "203.0.113.7", "2001:db8::/32"],
    error: null,
  });
  expect(parseNetworks("")).toEqual({ networks: [], error: null });
});

test.each([
  ["10.0.0.1/8", "10.0.0.0/8"],
  ["192.168.1.77/25", "192.168.1.0/25"],
  ["2001:db8::1/32", "2001:db8::/32"],
  ["::1/64", "::/64"],
])("host bits are set to zero: %s", (text, network) => {
  expect(parseNetworks(text)).toEqual({ networks: [network], error: null });
});

describe("what is right", () => {
  test.each([
    "0.0.0.0/0",
    "255.255.255.255/32",
    "192.168.1.0/24",
    "::/0",
    "::1",
    "::1/128",
    "fe80::/10",
    "1:2:3:4:5:6:7:8",
  ])("%s", (network) => expect(parseNetworks(network).error).toBeNull());
});

describe("what is wrong, and how to write it", () => {
  test.each([
    ["10.0.0.0/33", "0 to 32"],
    ["::/129", "0 to 128"],
    ["10.0.0/8", "is not a network"],
    ["256.0.0.1", "is not a network"],
    ["01.2.3.4", "is not a network"],
    ["1:2:3", "is not a network"],
    ["1::2::3", "is not a network"],
    ["1:2:3:4:5:6:7:8::", "is not a network"],
    ["::g", "is not a network"],
    ["example.com", "is not a network"],
    ["10.0.0.0/8/9", "is not a network"],
    ["10.0.0.0/", "0 to 32"],
  ])("%s", (network, words) => expect(parseNetworks(network).error).toContain(words));

  test("too many", () => {
    const many = Array.from({ length: MAX_NETWORKS + 1 }, (_, index) => `10.0.0.${index}`).join(" ");
    expect(parseNetworks(many).error).toContain(`At most ${MAX_NETWORKS}`);
  });
});
