import { describe, expect, test } from "vitest";
import type { EventMessage } from "../src/api/types";
import { applyPortEvent, privateShare } from "../src/model/ports";
import { port, portsState, repo, share } from "./samples";

const event = (type: string, data: unknown): EventMessage => ({ id: 1, type, data }) as EventMessage;
const numbers = (of: ReturnType<typeof portsState>) => [...of.ports.keys()];

describe("ports", () => {
  test("a new listener joins, a gone one leaves", () => {
    const opened = applyPortEvent(portsState([]), event("port.opened", port(5173)));
    expect(numbers(opened)).toEqual([5173]);
    expect(numbers(applyPortEvent(opened, event("port.closed", { port: 5173 })))).toEqual([]);
  });

  test("a shared one stays when it closes, with its name, and is not running", () => {
    const shared = portsState([port(5173, { share: share({}), repo: "shop", subdir: "web" })]);
    const after = applyPortEvent(shared, event("port.closed", { port: 5173 })).ports.get(5173);
    expect(after).toMatchObject({ listening: false, pid: null, title: "vite", repo: "shop", subdir: "web" });
  });

  test("events that come twice change nothing more", () => {
    for (const each of [event("port.opened", port(3000)), event("port.closed", { port: 3000 })]) {
      const once = applyPortEvent(portsState([port(3000)]), each);
      expect(applyPortEvent(once, each)).toEqual(once);
    }
  });

  test("the closing of a port that is not known leaves the same object", () => {
    const before = portsState([port(3000)]);
    expect(applyPortEvent(before, event("port.closed", { port: 1 }))).toBe(before);
  });

  test("what was there is not altered", () => {
    const before = portsState([port(3000)]);
    applyPortEvent(before, event("port.closed", { port: 3000 }));
    expect(numbers(before)).toEqual([3000]);
  });
});

describe("shares", () => {
  test("a change reaches its port", () => {
    const after = applyPortEvent(
      portsState([port(3000)]),
      event("share.changed", { port: 3000, share: share({ uses: 2 }) }),
    );
    expect(after.ports.get(3000)).toMatchObject({ listening: true, share: { mode: "password", uses: 2 } });
  });

  test("a port that does not listen appears with its address when shared, and leaves when no more", () => {
    const shared = applyPortEvent(portsState([]), event("share.changed", { port: 4000, share: share({}) }));
    expect(shared.ports.get(4000)).toMatchObject({ listening: false, url: "http://4000.localhost:8080" });
    expect(
      numbers(applyPortEvent(shared, event("share.changed", { port: 4000, share: privateShare(4000, "") }))),
    ).toEqual([]);
  });

  test("a listening port stays when its share ends", () => {
    const after = applyPortEvent(
      portsState([port(3000, { share: share({}) })]),
      event("share.changed", { port: 3000, share: privateShare(3000, "") }),
    );
    expect(after.ports.get(3000)?.share).toEqual(privateShare(3000, ""));
  });
});

test("repos are replaced as a whole", () => {
  const after = applyPortEvent(portsState([], [repo("a")]), event("repos.changed", { repos: [repo("b")] }));
  expect(after.repos.map((each) => each.name)).toEqual(["b"]);
});

test("events of a later agent are left alone", () => {
  const before = portsState([port(3000)]);
  expect(applyPortEvent(before, event("tunnel.opened", {}))).toBe(before);
});
