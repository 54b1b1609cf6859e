import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { PaletteEntry } from "../model/palette-entry";
import { rank } from "../model/rank";
import { paletteOpen } from "../state/keyboard";
import { portsState } from "../state/port-state";
import { paletteEntries } from "./palette-entries";

/** More entries than these nobody reads; typing finds the others. */
const MAX_SHOWN = 40;

const hide = () => {
  paletteOpen.value = false;
};

/** The command palette (Cmd+K): type a number, a name or a verb; Enter runs the first entry. */
export function Palette() {
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const dialog = useRef<HTMLDialogElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const all = useMemo(() => paletteEntries(portsState.value), [portsState.value]);
  const found = useMemo(
    () => rank(query, all, (entry) => `${entry.label} ${entry.about}`).slice(0, MAX_SHOWN),
    [query, all],
  );
  const current = Math.min(at, found.length - 1);

  useLayoutEffect(() => {
    dialog.current?.showModal();
    return () => dialog.current?.close();
  }, []);
  useLayoutEffect(() => {
    list.current?.children[current]?.scrollIntoView({ block: "nearest" });
  }, [current, found]);

  const run = (entry: PaletteEntry | undefined) => {
    if (entry === undefined) return;
    // Closed first, so that what the entry opens gets the focus.
    dialog.current?.close();
    hide();
    entry.run();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.isComposing) return;
    if (event.key === "ArrowDown") setAt((current + 1) % Math.max(1, found.length));
    else if (event.key === "ArrowUp") setAt((current - 1 + found.length) % Math.max(1, found.length));
    else if (event.key === "Enter") run(found[current]);
    else return;
    event.preventDefault();
  };

  return (
    <dialog
      ref={dialog}
      class="sheet bg-paper text-ink shadow-float max-sm:mt-0 max-sm:mb-auto max-sm:rounded-t-none max-sm:rounded-b-box sm:max-w-lg"
      aria-label="Commands"
      onCancel={(event) => {
        event.preventDefault();
        hide();
      }}
      onMouseDown={(event) => {
        if (event.target === event.currentTarget) hide();
      }}
    >
      <div class="flex max-h-[inherit] flex-col">
        <div class="flex items-center border-b border-line">
          <input
            class="min-h-12 min-w-0 flex-1 px-4 outline-none placeholder:text-soft placeholder:opacity-100"
            role="combobox"
            aria-label="Type a port, a repo or an action"
            aria-expanded="true"
            aria-controls="palette-list"
            aria-activedescendant={found[current] ? `entry-${current}` : undefined}
            placeholder="A port, a repo or an action"
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
            autofocus
            value={query}
            onInput={(event) => {
              setQuery(event.currentTarget.value);
              setAt(0);
            }}
            onKeyDown={onKeyDown}
          />
          <button type="button" class="button-quiet mr-1 sm:hidden" onClick={hide}>
            Close
          </button>
        </div>
        <div
          ref={list}
          id="palette-list"
          role="listbox"
          aria-label="Matches"
          class="max-h-[50dvh] overflow-y-auto p-1 empty:hidden"
        >
          {found.map((entry, index) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the combobox above has the keys.
            <div
              key={entry.id}
              id={`entry-${index}`}
              role="option"
              tabIndex={-1}
              aria-selected={index === current}
              class={`target flex cursor-pointer flex-wrap items-center gap-x-3 rounded-box px-3 py-1 ${index === current ? "bg-accent-wash text-accent" : ""}`}
              onPointerMove={() => setAt(index)}
              onClick={() => run(entry)}
            >
              <span class="font-medium whitespace-nowrap">{entry.label}</span>
              <span class="min-w-0 truncate text-small text-soft">{entry.about}</span>
            </div>
          ))}
        </div>
        {found.length === 0 && (
          <p class="p-4 text-soft">Nothing matches “{query}”. Try a port number, a repo or “share”.</p>
        )}
      </div>
    </dialog>
  );
}
