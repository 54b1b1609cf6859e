/**
 * Rows that stay for a while although what they show has ended: a row under the pointer or with the focus must not
 * vanish just when it is used.
 */

import { type ReadonlySignal, signal } from "@preact/signals";

/** Touch screens leave the "pointer" where the last tap was. */
const HOVER_MS = 6_000;

interface RetainedRows<K, V> {
  /** What the retained rows showed last, by key. */
  retained: ReadonlySignal<ReadonlyMap<K, V>>;
  /** Retains the row of `key`, which is about to end, if it has the pointer or the focus. */
  retain: (key: K, last: V) => void;
  /** Ends the retention of `key`, which exists again. */
  release: (key: K) => void;
}

/** For rows whose attribute `data-row` is `prefix` followed by the key. */
export function retainedRows<K extends string | number, V>(prefix: string): RetainedRows<K, V> {
  const retained = signal<ReadonlyMap<K, V>>(new Map());
  const row = (key: K) => document.querySelector(`[data-row="${CSS.escape(`${prefix}${key}`)}"]`);
  const keepOnly = (isKept: (key: K) => boolean) => {
    if (retained.peek().size === 0) return;
    retained.value = new Map([...retained.peek()].filter(([key]) => isKept(key)));
  };
  const keepMatching = (selector: string) => keepOnly((key) => row(key)?.matches(selector) ?? false);
  for (const type of ["pointerover", "focusin"]) {
    document.addEventListener(type, () => keepMatching(":hover, :focus-within"));
  }
  return {
    retained,
    retain: (key, last) => {
      if (!row(key)?.matches(":hover, :focus-within")) return;
      retained.value = new Map(retained.peek()).set(key, last);
      window.setTimeout(() => keepMatching(":focus-within"), HOVER_MS);
    },
    release: (key) => keepOnly((each) => each !== key),
  };
}
