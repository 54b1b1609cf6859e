/** A row under the pointer or with the focus stays when its server stops, so that nothing jumps from under a hand. */

import { signal } from "@preact/signals";
import type { Port } from "../model/types";

/** Touch screens leave the "pointer" where the last tap was. */
const HOVER_HOLD_MS = 6_000;

export const held = signal<ReadonlyMap<number, Port>>(new Map());

const row = (port: number) => document.querySelector(`[data-port="${port}"]`);

/** Keeps the row of a port that is about to leave, if a hand is on it. */
export function hold(port: Port): void {
  const element = row(port.port);
  if (!element?.matches(":hover, :focus-within")) return;
  held.value = new Map(held.peek()).set(port.port, { ...port, listening: false });
  window.setTimeout(() => letGo(":focus-within"), HOVER_HOLD_MS);
}

/** The port came back by itself: a restarted dev server. */
export function takeBack(port: number): void {
  if (!held.peek().has(port)) return;
  held.value = new Map([...held.peek()].filter(([number]) => number !== port));
}

function letGo(keep: string): void {
  if (held.peek().size === 0) return;
  held.value = new Map([...held.peek()].filter(([number]) => row(number)?.matches(keep)));
}

for (const type of ["pointerover", "focusin"]) {
  document.addEventListener(type, () => letGo(":hover, :focus-within"));
}
