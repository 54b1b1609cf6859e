import { expect, test } from "vitest";
import type { Share } from "../src/api/types";
import { describeBinding, describePort, effectiveMode, hasExpired, isPaused } from "../src/model/port-text";
import { port, share } from "./samples";

test.each([
  [port(1, { subdir: "frontend" }), "vite · frontend"],
  [port(1, { subdir: "" }), "vite"],
  [port(1, { listening: false }), "vite · not running"],
  [port(1, { listening: false, title: null }), "shared port · not running"],
  [port(1, { listening: false, title: null, outside: "ranges" }), "shared port · outside the port ranges"],
  [port(1, { listening: false, title: null, outside: "own" }), "shared port · Homeport's own port"],
  [port(1, { title: null, user: "postgres" }), "a program of postgres"],
  [port(1, { title: null, user: null }), "owner not visible"],
  [port(1, { title: null, user: "root", foreign: true }), "a program of root"],
  [port(1, { subdir: "web", user: "root", foreign: true }), "vite · web · root's"],
  [port(1, { user: "games", foreign: true }), "vite · games'"],
  [
    port(1, {
      title: "db",
      user: "root",
      foreign: true,
      container: { name: "x_db", service: "db", project: "x" },
    }),
    "db · container",
  ],
  [port(1, { user: "ada", container: { name: "x_db", service: "db", project: "x" } }), "vite · container"],
  [
    port(1, { user: "games", foreign: true, container: { name: "x_db", service: "db", project: "x" } }),
    "vite · games' container",
  ],
])("a port's name %#", (of, name) => expect(describePort(of)).toBe(name));

test("a share that has ended counts as private", () => {
  const ended = port(1, { share: share({ expires_at: "2020-01-01T00:00:00Z" }) });
  expect([hasExpired(ended), effectiveMode(ended)]).toEqual([true, "private"]);
  expect(effectiveMode(port(1, { share: share({}) }))).toBe("password");
});

test("a paused share names what it was made for", () => {
  const of = (bound_to: Share["bound_to"]) =>
    port(1, { share: share({ paused: "Something else listens there.", bound_to }) });
  expect(isPaused(of(null))).toBe(true);
  expect(describeBinding(of({ user: "ada", repo: "/srv/shop" }))).toBe("shop");
  expect(describeBinding(of({ user: "games", repo: null }))).toBe("servers of games");
  expect(describeBinding(of(null))).toBe("another server");
  const ended = share({ paused: "x", expires_at: "2020-01-01T00:00:00Z" });
  expect(isPaused(port(1, { share: ended }))).toBe(false);
});
