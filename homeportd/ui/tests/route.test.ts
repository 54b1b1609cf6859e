import { beforeAll, describe, expect, it, vi } from "vitest";

let route: typeof import("../src/state/route");

beforeAll(async () => {
  vi.stubGlobal("location", { hash: "" });
  vi.stubGlobal("window", { addEventListener: () => {}, scrollTo: () => {} });
  route = await import("../src/state/route");
});

describe("addresses", () => {
  it.each([
    "#/",
    "#/repos/shop",
    "#/repos/a%20b%2Fc",
    "#/tunnels",
    "#/reservations",
    "#/domains",
    "#/settings",
    "#/settings/tokens",
    "#/ports/3000/share",
    "#/ports/3000/log",
    "#/tunnels/abc",
    "#/reservations/abc",
    "#/reservations/new/tcp",
    "#/reservations/new/http/docs",
    "#/domains/new",
  ])("%s leads somewhere and back", (hash) => {
    expect(route.routeHash(route.readRoute(hash))).toBe(hash);
  });

  it("leads from the former page of tokens to their section", () => {
    expect(route.readRoute("#/tokens")).toEqual({ name: "settings", section: "tokens" });
  });

  it.each(["", "#", "#/nothing", "#/ports/x/share", "#/repos/a/b/c/d/e", "#/repos"])(
    "begins at home for %j",
    (hash) => expect(route.readRoute(hash)).toEqual({ name: "home" }),
  );

  it("reads what was typed badly as it stands", () => {
    expect(route.readRoute("#/repos/100%")).toEqual({ name: "repo", id: "100%" });
  });
});

describe("the page below a sheet", () => {
  it("stays the repo's for what belongs there too", () => {
    const shop = { name: "repo", id: "shop" } as const;
    expect(route.pageOf({ name: "share", port: 3000 }, shop)).toBe(shop);
    expect(route.pageOf({ name: "share", port: 3000 }, { name: "domains" })).toEqual({ name: "home" });
    expect(route.pageOf({ name: "add-domain" }, shop)).toEqual({ name: "domains" });
  });
});
