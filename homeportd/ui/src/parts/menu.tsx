import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { MoreIcon } from "./icons";

export interface MenuItem {
  label: string;
  icon: ComponentChildren;
  /** The key that does the same on a focused row. */
  hint?: string;
  run: () => void;
}

const GAP_PX = 4;

/** A button with a menu: arrows move, Enter chooses, Escape or a click elsewhere closes. */
export function Menu({ label, items }: { label: string; items: MenuItem[] }) {
  const [isOpen, setOpen] = useState(false);
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
        onClick={() => setOpen(!isOpen)}
        onKeyDown={(event) => {
          if (event.key !== "ArrowDown" || isOpen) return;
          event.preventDefault();
          setOpen(true);
        }}
      >
        <MoreIcon />
      </button>
      {isOpen && button.current && (
        <MenuList label={label} items={items} anchor={button.current} onClose={() => setOpen(false)} />
      )}
    </>
  );
}

interface ListProps {
  label: string;
  items: MenuItem[];
  anchor: HTMLElement;
  onClose: () => void;
}

function MenuList({ label, items, anchor, onClose }: ListProps) {
  const ref = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const list = ref.current;
    if (list === null) return;
    // In the top layer, so that no block cuts it off; below its button, or above where there is no room.
    list.showPopover();
    const [at, size] = [anchor.getBoundingClientRect(), list.getBoundingClientRect()];
    const below = at.bottom + GAP_PX;
    list.style.left = `${Math.max(GAP_PX, at.right - size.width)}px`;
    list.style.top = `${below + size.height > innerHeight ? Math.max(GAP_PX, at.top - GAP_PX - size.height) : below}px`;
    list.querySelector("button")?.focus();
    const away = (event: Event) => {
      if (!(event.target instanceof Node && (list.contains(event.target) || anchor.contains(event.target))))
        onClose();
    };
    document.addEventListener("pointerdown", away);
    window.addEventListener("scroll", onClose, { passive: true });
    return () => {
      document.removeEventListener("pointerdown", away);
      window.removeEventListener("scroll", onClose);
    };
  }, []);

  const onKeyDown = (event: KeyboardEvent) => {
    const buttons = [...(ref.current?.querySelectorAll("button") ?? [])];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to !== undefined) buttons.at(to % buttons.length)?.focus();
    else if (event.key === "Escape" || event.key === "Tab") leave();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const leave = () => {
    anchor.focus();
    onClose();
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
          tabIndex={-1}
          class="target flex w-full items-center gap-2.5 rounded-box px-2.5 text-left hover:bg-hover focus-visible:bg-accent-wash focus-visible:-outline-offset-2"
          onClick={() => {
            leave();
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
