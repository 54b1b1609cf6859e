/** A row under the pointer or with the focus stays when what it shows ends, so that nothing jumps from under a hand. */

import { type Signal, signal } from "@preact/signals";

/** Touch screens leave the "pointer" where the last tap was. */
const HOVER_HOLD_MS = 6_000;

interface Holding<K, V> {
  held: Signal<ReadonlyMap<K, V>>;
  /** Keeps the row of something that is about to leave, if a hand is on it. */
  hold: (key: K, last: V) => void;
  /** It came back by itself. */
  takeBack: (key: K) => void;
}

/** For rows that carry `data-row` with `prefix` and their key. */
export function holding<K extends string | number, V>(prefix: string): Holding<K, V> {
  const held = signal<ReadonlyMap<K, V>>(new Map());
  const row = (key: K) => document.querySelector(`[data-row="${CSS.escape(`${prefix}${key}`)}"]`);
  const letGo = (keep: string) => {
    if (held.peek().size === 0) return;
    held.value = new Map([...held.peek()].filter(([key]) => row(key)?.matches(keep)));
  };
  for (const type of ["pointerover", "focusin"]) {
    document.addEventListener(type, () => letGo(":hover, :focus-within"));
  }
  return {
    held,
    hold: (key, last) => {
      if (!row(key)?.matches(":hover, :focus-within")) return;
      held.value = new Map(held.peek()).set(key, last);
      window.setTimeout(() => letGo(":focus-within"), HOVER_HOLD_MS);
    },
    takeBack: (key) => {
      if (!held.peek().has(key)) return;
      held.value = new Map([...held.peek()].filter(([each]) => each !== key));
    },
  };
}
