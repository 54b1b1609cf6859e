import { expect, test } from "vitest";
import { rank, score } from "../src/model/rank";

test("the palette puts the start of words first", () => {
  const labels = ["Access log of 3000", "Open 3000", "Reopen", "Share 3000"];
  expect(rank("open", labels, (label) => label)).toEqual(["Open 3000", "Reopen"]);
  expect(rank("3000 sh", labels, (label) => label)).toEqual(["Share 3000"]);
  expect(rank("", labels, (label) => label)).toEqual(labels);
  expect(score("x", "abc")).toBeNull();
});
