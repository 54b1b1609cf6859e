import { describe, expect, it } from "vitest";
import { plainText, styledLine } from "../src/model/ansi";

const ESC = "\x1b";

describe("colours of a line", () => {
  it("become parts with classes of the page's palette", () => {
    expect(styledLine(`a ${ESC}[1;32mready${ESC}[0m in ${ESC}[2m5 ms`)).toEqual([
      { text: "a ", style: "" },
      { text: "ready", style: "font-bold text-public" },
      { text: " in ", style: "" },
      { text: "5 ms", style: "text-soft" },
    ]);
  });

  it.each([
    ["31", "text-danger"],
    ["94", "text-accent"],
    ["90", "text-soft"],
    ["38;5;196", "text-danger"],
    ["38;5;46", "text-public"],
    ["38;2;255;0;255", "text-magenta"],
    ["38;2;20;20;20", ""],
    ["48;5;196", ""],
    ["48;2;1;2;3;36", "text-cyan"],
    ["3;4", "italic underline"],
  ])("%s is %j", (codes, style) => {
    expect(styledLine(`${ESC}[${codes}mx`)).toEqual([{ text: "x", style }]);
  });

  it("leave no other escape sequence and no control character", () => {
    const hostile = `${ESC}]0;title\x07${ESC}[2Jx${ESC}[31m\x00y\x9b${ESC}c<b>${ESC}`;
    const text = styledLine(hostile)
      .map((part) => part.text)
      .join("");
    expect(text).toBe("xy<b>");
    expect(plainText(hostile)).toBe("xy<b>");
  });
});
