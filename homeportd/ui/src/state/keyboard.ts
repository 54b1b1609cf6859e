/** Keys: Cmd+K, `/`, arrows between rows, and one letter for each action on the focused row. */

import { signal } from "@preact/signals";
import type { Port } from "../api/types";
import { phase } from "./agent";
import { edgePages } from "./edge-pages";
import { copyLink } from "./port-actions";
import { portsState } from "./port-state";
import { navigate } from "./route";

export const paletteOpen = signal(false);

export const FILTER_ID = "filter";

/** The key combination for the palette on this machine's keyboard. */
export const COMMAND_KEY = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘K" : "Ctrl K";

const rowLinks = () => [...document.querySelectorAll<HTMLElement>("[data-row-link]")];

export function focusFilter(): void {
  const input = document.getElementById(FILTER_ID);
  if (input instanceof HTMLInputElement) {
    input.focus();
    input.select();
  }
}

/** Moves the focus to the next or previous row; from no row, to the first or last. */
export function moveRow(step: 1 | -1): void {
  const links = rowLinks();
  const row = document.activeElement?.closest("[data-row]");
  const at = links.findIndex((link) => row?.contains(link));
  const next = at < 0 ? (step > 0 ? 0 : links.length - 1) : at + step;
  const link = links[Math.min(links.length - 1, Math.max(0, next))];
  link?.focus();
  link?.scrollIntoView({ block: "nearest" });
}

const focusedRow = () => document.activeElement?.closest<HTMLElement>("[data-row]");

function focusedPort(): Port | undefined {
  const number = focusedRow()?.dataset.port;
  return number ? portsState.peek().ports.get(Number(number)) : undefined;
}

function onKey(event: KeyboardEvent): void {
  if (phase.peek() !== "ready" || event.defaultPrevented) return;
  if ((event.metaKey || event.ctrlKey) && !event.shiftKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    paletteOpen.value = !paletteOpen.peek();
    return;
  }
  const target = event.target instanceof Element ? event.target : null;
  if (event.metaKey || event.ctrlKey || event.altKey) return;
  if (target?.closest("input, textarea, select, dialog, [role=menu]")) return;
  const port = focusedPort();
  const onPage = PAGE_KEYS[event.key];
  const onRow = ROW_KEYS[event.key];
  if (onPage) onPage();
  else if (onRow && port) onRow(port);
  else if (!edgePages.peek()?.onRowKey(focusedRow()?.dataset.row ?? "", event.key)) return;
  event.preventDefault();
}

const PAGE_KEYS: Record<string, () => void> = {
  "/": focusFilter,
  ArrowDown: () => moveRow(1),
  ArrowUp: () => moveRow(-1),
};

const ROW_KEYS: Record<string, (port: Port) => void> = {
  s: (port) => navigate({ name: "share", port: port.port }),
  l: (port) => navigate({ name: "log", port: port.port }),
  c: (port) => void copyLink(port),
};

export function listenToKeys(): void {
  document.addEventListener("keydown", onKey);
}
