/**
 * Colours of a line of output (ECMA-48 SGR) as parts of text with classes of this page's own palette, so that each is
 * readable here. The text is never markup, and no other escape sequence is left in it.
 */

export interface StyledText {
  text: string;
  /** Class names; empty for plain text. */
  style: string;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character begins a sequence.
const SGR = /\x1b\[([0-9;:]*)m/g;
/** Sequences that are no colours, and control characters; the agent removes them, too. */
const OTHERS =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  /\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])|[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

const HUES = ["", "danger", "public", "password", "accent", "magenta", "cyan", "soft"];

interface Pen {
  bold: boolean;
  dim: boolean;
  italic: boolean;
  underline: boolean;
  hue: string;
}

const PLAIN: Pen = { bold: false, dim: false, italic: false, underline: false, hue: "" };

export const plainText = (line: string): string => line.replace(SGR, "").replace(OTHERS, "");

/** The parts of a line; one for a line without colours. */
export function styledLine(line: string): StyledText[] {
  if (!line.includes("\x1b")) return [{ text: plainText(line), style: "" }];
  const parts: StyledText[] = [];
  let pen = PLAIN;
  let end = 0;
  const add = (raw: string) => {
    const text = raw.replace(OTHERS, "");
    if (text !== "") parts.push({ text, style: styleOf(pen) });
  };
  for (const match of line.matchAll(SGR)) {
    add(line.slice(end, match.index));
    pen = applied(pen, (match[1] ?? "").split(/[;:]/).map(Number));
    end = match.index + match[0].length;
  }
  add(line.slice(end));
  return parts;
}

function styleOf(pen: Pen): string {
  return [
    pen.bold ? "font-bold" : "",
    pen.italic ? "italic" : "",
    pen.underline ? "underline" : "",
    pen.hue ? `text-${pen.hue}` : pen.dim ? "text-soft" : "",
  ]
    .filter(Boolean)
    .join(" ");
}

function applied(before: Pen, codes: readonly number[]): Pen {
  let pen = before;
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at] ?? 0;
    if (code === 38 || code === 48) {
      const extended = codes[at + 1] === 5 ? 3 : codes[at + 1] === 2 ? 5 : 1;
      const hue = extended === 3 ? hueOf256(codes[at + 2] ?? 0) : hueOfRgb(codes.slice(at + 2, at + 5));
      if (code === 38) pen = { ...pen, hue };
      at += extended - 1;
    } else pen = changed(pen, code);
  }
  return pen;
}

function changed(pen: Pen, code: number): Pen {
  if (code === 0) return PLAIN;
  if (code === 1) return { ...pen, bold: true };
  if (code === 2) return { ...pen, dim: true };
  if (code === 3) return { ...pen, italic: true };
  if (code === 4) return { ...pen, underline: true };
  if (code === 22) return { ...pen, bold: false, dim: false };
  if (code === 23) return { ...pen, italic: false };
  if (code === 24) return { ...pen, underline: false };
  if (code === 39) return { ...pen, hue: "" };
  if (code >= 30 && code <= 37) return { ...pen, hue: HUES[code - 30] ?? "" };
  if (code >= 90 && code <= 97) return { ...pen, hue: code === 90 ? "soft" : (HUES[code - 90] ?? "") };
  return pen; // grounds, blinking and the like: nothing that this page would show
}

/** The hue of the 256 colours: 16 named ones, a cube of 6×6×6, and greys. */
function hueOf256(number: number): string {
  if (number < 16) return number === 8 ? "soft" : (HUES[number % 8] ?? "");
  if (number > 231) return number > 243 ? "soft" : "";
  const cube = number - 16;
  return hueOfRgb([Math.floor(cube / 36) * 51, (Math.floor(cube / 6) % 6) * 51, (cube % 6) * 51]);
}

/** The nearest hue of the palette, by the channels that are strong. */
function hueOfRgb([red = 0, green = 0, blue = 0]: readonly number[]): string {
  const [low, high] = [Math.min(red, green, blue), Math.max(red, green, blue)];
  if (high - low < 32) return high > 96 ? "soft" : "";
  const middle = (low + high) / 2;
  const bits = (red > middle ? 1 : 0) + (green > middle ? 2 : 0) + (blue > middle ? 4 : 0);
  return HUES[bits] ?? "";
}
