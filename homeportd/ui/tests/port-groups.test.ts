import { describe, expect, test } from "vitest";
import { groupPorts } from "../src/model/port-groups";
import { port, portsState, repo, share } from "./samples";

const sample = portsState(
  [
    port(8000, { repo: "shop", title: "django" }),
    port(5173, { repo: "shop", subdir: "web", share: share({}) }),
    port(3000, { repo: "blog", title: "next" }),
    port(5432, { repo: null, title: null, pid: null }),
    port(9000, { repo: "gone", title: "worker" }),
  ],
  [repo("shop"), repo("blog"), repo("notes", { branch: "draft" })],
);

const shape = (filter = "") => {
  const { active, idle, others, count } = groupPorts(sample, filter);
  return {
    active: active.map((block) => [block.repo.name, ...block.ports.map((each) => each.port)]),
    idle: idle.map((each) => each.name),
    others: others.map((each) => each.port),
    count,
  };
};

test("ports stand under their repos, by name and number; the rest comes last", () => {
  expect(shape()).toEqual({
    active: [
      ["blog", 3000],
      ["shop", 5173, 8000],
    ],
    idle: ["notes"],
    others: [5432, 9000],
    count: 5,
  });
});

describe("the filter", () => {
  test.each([
    ["5173", { active: [["shop", 5173]], idle: [], others: [], count: 1 }],
    ["shop django", { active: [["shop", 8000]], idle: [], others: [], count: 1 }],
    ["  NEXT ", { active: [["blog", 3000]], idle: [], others: [], count: 1 }],
    ["password", { active: [["shop", 5173]], idle: [], others: [], count: 1 }],
    ["draft", { active: [], idle: ["notes"], others: [], count: 0 }],
    ["zebra", { active: [], idle: [], others: [], count: 0 }],
  ])("%s", (filter, expected) => expect(shape(filter)).toEqual(expected));

  test("does not call a repo idle whose ports are only hidden", () => {
    expect(shape("blog").idle).toEqual([]);
    expect(groupPorts(sample, "repos/shop zebra").idle).toEqual([]);
  });
});
