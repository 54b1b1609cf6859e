import { describe, expect, test } from "vitest";
import type { AgentEvent } from "../src/model/types";
import { applyEvent, NO_SHARE } from "../src/model/world";
import { port, repo, share, world } from "./samples";

const event = (type: string, data: unknown): AgentEvent => ({ id: 1, type, data }) as AgentEvent;
const numbers = (of: ReturnType<typeof world>) => [...of.ports.keys()];

describe("ports", () => {
  test("a new listener joins, a gone one leaves", () => {
    const opened = applyEvent(world([]), event("port.opened", port(5173)));
    expect(numbers(opened)).toEqual([5173]);
    expect(numbers(applyEvent(opened, event("port.closed", { port: 5173 })))).toEqual([]);
  });

  test("a shared one stays when it closes, with its name, and is not running", () => {
    const shared = world([port(5173, { share: share({}), repo: "shop", subdir: "web" })]);
    const after = applyEvent(shared, event("port.closed", { port: 5173 })).ports.get(5173);
    expect(after).toMatchObject({ listening: false, pid: null, title: "vite", repo: "shop", subdir: "web" });
  });

  test("events that come twice change nothing more", () => {
    for (const each of [event("port.opened", port(3000)), event("port.closed", { port: 3000 })]) {
      const once = applyEvent(world([port(3000)]), each);
      expect(applyEvent(once, each)).toEqual(once);
    }
  });

  test("the closing of a port that is not known leaves the same object", () => {
    const before = world([port(3000)]);
    expect(applyEvent(before, event("port.closed", { port: 1 }))).toBe(before);
  });

  test("what was there is not altered", () => {
    const before = world([port(3000)]);
    applyEvent(before, event("port.closed", { port: 3000 }));
    expect(numbers(before)).toEqual([3000]);
  });
});

describe("shares", () => {
  test("a change reaches its port", () => {
    const after = applyEvent(
      world([port(3000)]),
      event("share.changed", { port: 3000, share: share({ uses: 2 }) }),
    );
    expect(after.ports.get(3000)).toMatchObject({ listening: true, share: { mode: "password", uses: 2 } });
  });

  test("a port that does not listen appears with its address when shared, and leaves when no more", () => {
    const shared = applyEvent(world([]), event("share.changed", { port: 4000, share: share({}) }));
    expect(shared.ports.get(4000)).toMatchObject({ listening: false, url: "http://4000.localhost:8080" });
    expect(numbers(applyEvent(shared, event("share.changed", { port: 4000, share: NO_SHARE })))).toEqual([]);
  });

  test("a listening port stays when its share ends", () => {
    const after = applyEvent(
      world([port(3000, { share: share({}) })]),
      event("share.changed", { port: 3000, share: null }),
    );
    expect(after.ports.get(3000)?.share).toEqual(NO_SHARE);
  });
});

test("repos are replaced as a whole", () => {
  const after = applyEvent(world([], [repo("a")]), event("repos.changed", { repos: [repo("b")] }));
  expect(after.repos.map((each) => each.name)).toEqual(["b"]);
});

test("events of a later agent are left alone", () => {
  const before = world([port(3000)]);
  expect(applyEvent(before, event("tunnel.opened", {}))).toBe(before);
});
