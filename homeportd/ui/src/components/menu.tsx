import { signal } from "@preact/signals";
import type { ComponentChildren, RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { MoreIcon } from "./icons";

export interface MenuItem {
  label: string;
  icon: ComponentChildren;
  /** The key that does the same on a focused row. */
  hint?: string;
  run: () => void;
}

const GAP_PX = 4;

/** The row whose menu is open, and the focused item: outside the component, since a row that moves is mounted anew. */
const openRow = signal<string | null>(null);
let focusedItem: string | undefined;

function show(row: string): void {
  focusedItem = undefined;
  openRow.value = row;
}

interface Props {
  /** The row that the menu belongs to; unique on the page. */
  row: string;
  label: string;
  items: MenuItem[];
}

/** A button with a menu: arrows move the focus, Enter chooses, Escape or a click elsewhere closes. */
export function Menu({ row, label, items }: Props) {
  const isOpen = openRow.value === row;
  const button = useRef<HTMLButtonElement>(null);
  return (
    <>
      <button
        ref={button}
        type="button"
        class="button px-0 text-soft hover:bg-hover"
        aria-label={label}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        data-menu={row}
        onClick={() => (isOpen ? close() : show(row))}
        onKeyDown={(event) => {
          if (event.key !== "ArrowDown" || isOpen) return;
          event.preventDefault();
          show(row);
        }}
      >
        <MoreIcon />
      </button>
      {isOpen && <MenuList row={row} label={label} items={items} button={button} />}
    </>
  );
}

function close(): void {
  openRow.value = null;
}

interface ListProps extends Props {
  button: RefObject<HTMLButtonElement | null>;
}

function MenuList({ row, label, items, button }: ListProps) {
  const ref = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const [list, anchor] = [ref.current, button.current];
    if (list === null || anchor === null) return;
    // In the top layer, so that nothing cuts the menu off; below its button, or above where there is no room.
    list.showPopover();
    const position = () => {
      const [at, size] = [anchor.getBoundingClientRect(), list.getBoundingClientRect()];
      const below = at.bottom + GAP_PX;
      list.style.left = `${Math.max(GAP_PX, at.right - size.width)}px`;
      list.style.top = `${below + size.height > innerHeight ? Math.max(GAP_PX, at.top - GAP_PX - size.height) : below}px`;
      if (at.bottom < 0 || at.top > innerHeight) close();
    };
    position();
    const buttons = [...list.querySelectorAll("button")];
    const former = buttons.find((each) => each.dataset.item === focusedItem);
    (former ?? buttons[0])?.focus({ preventScroll: true });
    const away = (event: Event) => {
      if (!(event.target instanceof Node && (list.contains(event.target) || anchor.contains(event.target))))
        close();
    };
    document.addEventListener("pointerdown", away);
    // The browser scrolls by itself, too, when rows are inserted above the visible ones.
    window.addEventListener("scroll", position, { passive: true });
    // At the top of the page it does not: rows that are inserted above push the row down, and the page grows.
    const pageSize = new ResizeObserver(position);
    pageSize.observe(anchor.closest("main") ?? document.body);
    return () => {
      pageSize.disconnect();
      document.removeEventListener("pointerdown", away);
      window.removeEventListener("scroll", position);
      // Once the page is drawn, the row is in its new group, or gone.
      queueMicrotask(() => {
        const here = document.querySelector(`[data-menu="${CSS.escape(row)}"]`);
        if (here === null && openRow.peek() === row) close();
      });
    };
  }, []);

  const onKeyDown = (event: KeyboardEvent) => {
    const buttons = [...(ref.current?.querySelectorAll("button") ?? [])];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to !== undefined) buttons.at(to % buttons.length)?.focus();
    else if (event.key === "Escape" || event.key === "Tab") closeAndRefocus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const closeAndRefocus = () => {
    button.current?.focus();
    close();
  };
  return (
    <div
      ref={ref}
      popover="manual"
      role="menu"
      aria-label={label}
      tabIndex={-1}
      class="fixed m-0 min-w-52 rounded-box bg-paper p-1 text-ink shadow-float"
      onKeyDown={onKeyDown}
    >
      {items.map((item) => (
        <button
          key={item.label}
          type="button"
          role="menuitem"
          data-item={item.label}
          onFocus={() => {
            focusedItem = item.label;
          }}
          tabIndex={-1}
          class="target flex w-full items-center gap-2.5 rounded-box px-2.5 text-left hover:bg-hover focus-visible:bg-accent-wash focus-visible:-outline-offset-2"
          onClick={() => {
            closeAndRefocus();
            item.run();
          }}
        >
          <span class="text-soft">{item.icon}</span>
          <span class="flex-1">{item.label}</span>
          {item.hint && <kbd class="hidden font-mono text-small text-soft sm:inline">{item.hint}</kbd>}
        </button>
      ))}
    </div>
  );
}
